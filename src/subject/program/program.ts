import type { CompileCommand } from "../../provider/program/command-line.ts";
import type { ShippedProgram } from "./shipped/shipped-program.ts";

/** A translation unit of a program, as its own build compiled it. */
export interface ProgramUnit {
  /** Relative to the source tree. */
  readonly source: string;
  readonly command: CompileCommand;
}

/** What a livepatch is made for: a source tree, how it was compiled, and the files that run. */
export interface Program {
  /** The directory that diffs are for, absolute. It is not written to. */
  readonly tree: string;
  readonly units: readonly ProgramUnit[];
  /** Executables and libraries; a unit may be in several of them, or in none. */
  readonly shipped: readonly ShippedProgram[];
  readonly package: { readonly name: string; readonly version: string } | undefined;
}
