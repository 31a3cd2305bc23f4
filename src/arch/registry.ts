/** Which machine a file is for. */

import type { ElfHeader } from "../elf/model.ts";
import { SutureError } from "../lib/error.ts";
import type { Arch } from "./arch.ts";
import type { LinkedFields } from "./linked-fields.ts";
import type { PlainCode } from "./plain-code.ts";
import { s390x } from "./s390x/machine.ts";
import type { VmAbi } from "./vm-abi.ts";
import { x86_64 } from "./x86_64/machine.ts";

const MACHINES: readonly Arch[] = [x86_64, s390x];

/** undefined for a machine that nothing is known of. @param machine EM_* */
export function archOfMachine(machine: number, endian: "little" | "big"): Arch | undefined {
  return MACHINES.find(({ elf }) => elf.machine === machine && elf.words.endian === endian);
}

/** What a file says of the machine that it is for. */
export interface MachineFile {
  /** For messages. */
  readonly name: string;
  readonly header: Pick<ElfHeader, "machine" | "endian">;
}

/** @throws SutureError MACHINE_NOT_KNOWN */
export function archOf({ header, name }: MachineFile): Arch {
  const found = archOfMachine(header.machine, header.endian);
  if (found !== undefined) return found;
  throw new SutureError(
    "MACHINE_NOT_KNOWN",
    `it is for the machine ${header.machine} of ELF, ${header.endian} endian`,
    {
      where: name,
      hint: `give a file for one of: ${namesOf(MACHINES)}`,
    },
  );
}

/**
 * Of a kernel, by its configuration.
 * @throws SutureError MACHINE_NOT_KNOWN
 */
export function archOfConfig(config: ReadonlyMap<string, string>, where: string): Arch {
  const found = MACHINES.find(({ kernel }) => config.get(kernel.sources.option) === "y");
  if (found !== undefined) return found;
  throw new SutureError("MACHINE_NOT_KNOWN", "its configuration names no machine that is known", {
    where,
    hint: `one of these is to be set: ${MACHINES.map(({ kernel }) => `CONFIG_${kernel.sources.option}`).join(", ")}`,
  });
}

/**
 * Of what runs here.
 * @throws SutureError MACHINE_NOT_KNOWN
 */
export function archOfHost(): Arch {
  const found = MACHINES.find(({ toolchain }) => toolchain.node === process.arch);
  if (found !== undefined) return found;
  throw new SutureError("MACHINE_NOT_KNOWN", `this machine is one of ${process.arch}`, {
    hint: `run suture on one of: ${namesOf(MACHINES)}`,
  });
}

/** What linkers make of fields on the machine. Throws `MACHINE_NOT_KNOWN` for one of which that is not known. */
export function linkedFieldsOf({ name, linked }: Arch): LinkedFields {
  if (linked !== undefined) return linked;
  throw new SutureError("MACHINE_NOT_KNOWN", `what linkers make of code for ${name} is not known`, {
    hint: "give a program for a machine that docs/architectures.md has processes for",
  });
}

/** How the audit compares code of the machine. Throws `MACHINE_NOT_KNOWN` for one whose code it cannot. */
export function plainCodeOf({ name, plainCode }: Arch, where: string): PlainCode {
  if (plainCode !== undefined) return plainCode;
  throw new SutureError("MACHINE_NOT_KNOWN", `code for ${name} is not audited`, {
    where,
    hint: `audit what is for one of: ${namesOf(MACHINES.filter((each) => each.plainCode !== undefined))}`,
  });
}

/** The virtual machine for its kernels. Throws `MACHINE_NOT_KNOWN` where there is none. */
export function vmOf({ name, vm }: Arch): VmAbi {
  if (vm !== undefined) return vm;
  throw new SutureError("MACHINE_NOT_KNOWN", `there is no virtual machine for kernels for ${name}`, {
    hint: `there is for: ${namesOf(MACHINES.filter((each) => each.vm !== undefined))}`,
  });
}

function namesOf(machines: readonly Arch[]): string {
  return machines.map(({ name }) => name).join(", ");
}
