/** What comes of compiling one unit, whatever it is a unit of. */
import { brought } from "../lib/brought.ts";
import { saysDiskFull } from "../lib/disk-full.ts";
import { SutureError } from "../lib/error.ts";

/** The object of a unit, or what the program said that did not make it: that code does not compile is a result. */
export type CompileResult =
  | {
      readonly kind: "compiled";
      /** Path of the object file. */
      readonly object: string;
      /** Every file that was read, as the compiler named it; of an original absolute, or relative to its tree. */
      readonly dependencies: readonly string[];
      /** Of the files that compiler and assembler read in a view of the tree, as absolute paths, those that are neither the source's nor the compiler's own. */
      readonly outside?: readonly string[];
    }
  | {
      readonly kind: "does-not-compile";
      /** The program that refused it. */
      readonly by: "compiler" | "objtool";
      readonly output: string;
    };

/** Where suture/livepatch.h lies: in the package beside src and dist. Diffs may include it, what ships does not. */
export const INCLUDE = brought("include");

/** @param into the directory that was compiled into. Throws `DISK_FULL` where that is why. */
export function notCompiled(output: string, into: string, by: "compiler" | "objtool" = "compiler"): CompileResult {
  if (saysDiskFull(output))
    throw new SutureError("DISK_FULL", "no space left to compile in", {
      where: into,
      hint: "make room there, or name a directory on another file system with TMPDIR",
    });
  return { kind: "does-not-compile", by, output };
}
