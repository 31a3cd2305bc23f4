/**
 * Machines on which running processes can be patched. Apart from registry.ts, so that a command
 * that patches a process has not to read all that is there for builds.
 */
import { SutureError } from "../lib/error.ts";
import type { ElfAbi } from "./elf-abi.ts";
import type { ProcessAbi } from "./process-abi.ts";
import { process as x86_64 } from "./x86_64/process.ts";
import { elf as x86_64Elf } from "./x86_64/relocations.ts";

/** A machine whose processes can be patched. */
export interface ProcessMachineAbi {
  /** As `uname -m` has it. */
  readonly name: string;
  readonly elf: ElfAbi;
  readonly process: ProcessAbi;
}

/** By what Node.js calls them. */
const KNOWN: { readonly [node: string]: ProcessMachineAbi | undefined } = {
  x64: { name: "x86_64", elf: x86_64Elf, process: x86_64 },
};

/**
 * Of the machine that we run on.
 * @throws SutureError MACHINE_NOT_KNOWN
 */
export function processesOfHost(): ProcessMachineAbi {
  const found = KNOWN[process.arch];
  if (found !== undefined) return found;
  throw new SutureError("MACHINE_NOT_KNOWN", `running processes cannot be patched on ${process.arch}`, {
    hint: `they can on: ${Object.keys(KNOWN).join(", ")}; elsewhere restart the program with the fixed one`,
  });
}
