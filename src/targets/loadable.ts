/** A livepatch file, whatever it is for. */
import { SutureError } from "../lib/error.ts";
import { readSealed } from "../patch/digest.ts";
import { isLivepatchModule, type LivepatchFile, livepatchFileOf } from "../patch/livepatch-file.ts";
import { type ProgramLivepatch, readProgramLivepatch } from "../process/loader/livepatch.ts";

/**
 * `kernel`: a module that says that it is a livepatch, whoever made it. All else is
 * read as a livepatch for programs.
 */
export type Loadable =
  | { readonly kind: "kernel"; readonly livepatch: LivepatchFile }
  | { readonly kind: "program"; readonly livepatch: ProgramLivepatch };

/** Throws what `readProgramLivepatch` and `livepatchFileOf` throw. */
export function readLoadable(data: Buffer, path: string): Loadable {
  return isForKernel(data, path)
    ? { kind: "kernel", livepatch: livepatchFileOf(data, path) }
    : { kind: "program", livepatch: readProgramLivepatch(data, path) };
}

/** What is damaged is named by the reader that everything else goes to. */
function isForKernel(data: Buffer, path: string): boolean {
  try {
    return isLivepatchModule(readSealed(data, path));
  } catch (error) {
    if (error instanceof SutureError) return false;
    throw error;
  }
}
