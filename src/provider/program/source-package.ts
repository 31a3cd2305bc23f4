import type { CompileCommand } from "./command-line.ts";

/** An executable or a library. */
export interface ShippedFile {
  /** As it is installed. */
  readonly path: string;
  /** Where it can be read. */
  readonly file: string;
}

/** A source package of a distribution's that was made ready; the same directory is given the next time. */
export interface SourcePackage {
  readonly name: string;
  readonly version: string;
  /** The unpacked source, built: the directory that diffs are for. */
  readonly tree: string;
  readonly commands: readonly CompileCommand[];
  /** Executables and libraries that ship. */
  readonly files: readonly ShippedFile[];
}
