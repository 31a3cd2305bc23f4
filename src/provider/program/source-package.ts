import type { CompileCommand } from "./command-line.ts";

/** A source package of a distribution's that was made ready; the same directory is given the next time. */
export interface SourcePackage {
  readonly name: string;
  readonly version: string;
  /** The unpacked source, built: the directory that diffs are for. */
  readonly tree: string;
  readonly commands: readonly CompileCommand[];
  /** Executables and libraries that ship: `path` as they are installed, `file` where they can be read. */
  readonly files: readonly { readonly path: string; readonly file: string }[];
}
