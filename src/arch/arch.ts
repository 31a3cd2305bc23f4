/**
 * What there is to know about one machine. An `Arch` is a struct of parts, one
 * file each, and no part knows another machine; who needs more of a machine adds
 * a part. All that is not here is the same on every machine.
 *
 * Which one is meant is told by the file that is worked on (`archOf` in
 * registry.ts), and handed on with what was made of it: a unit's sections, an
 * image that is linked, a kernel.
 */
import type { Code } from "./code.ts";
import type { ElfAbi } from "./elf-abi.ts";
import type { KernelAbi } from "./kernel-abi.ts";
import type { LinkedFields } from "./linked-fields.ts";
import type { PlainCode } from "./plain-code.ts";
import type { PointerFlow } from "./pointer-flow.ts";
import type { ProcessAbi } from "./process-abi.ts";
import type { Toolchain } from "./toolchain.ts";
import type { VmAbi } from "./vm-abi.ts";

/** One machine. It is told apart by identity: there is one object for each. */
export interface Arch {
  /** As `uname -m` has it. */
  readonly name: string;
  /** How its object files refer to places, and in which order their bytes are. */
  readonly elf: ElfAbi;
  /** Its instructions, as far as a diff, a match and a link have to read them. */
  readonly code: Code;
  /** What its Linux keeps beside code, and how it is built, shipped and started. */
  readonly kernel: KernelAbi;
  /** How compilers and packages call it. */
  readonly toolchain: Toolchain;
  /** Its instructions for the audit; without it no livepatch is audited. */
  readonly plainCode?: PlainCode;
  /** Following addresses through code; without it none is known to stay within a livepatch. */
  readonly pointers?: PointerFlow;
  /** Programs and libraries as they are linked; without it none can be matched. */
  readonly linked?: LinkedFields;
  /** Running processes; without it none can be patched. */
  readonly process?: ProcessAbi;
  /** Virtual machines of it; without it no kernel for it is booted, and no livepatch rehearsed. */
  readonly vm?: VmAbi;
}
