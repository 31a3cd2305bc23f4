/** How compilers and packages call one machine. */
export interface Toolchain {
  /** What Node.js calls it, as `process.arch`. */
  readonly node: string;
  /** Names of compilers' targets, and the beginnings of the names of cross compilers. */
  readonly triple: RegExp;
  /** Options that choose an instruction set of another width or the machine's own, and the one that is its own. */
  readonly width?: { readonly any: RegExp; readonly own: string };
  /** Debian's multiarch name: of directories below /usr/lib. */
  readonly multiarch: string;
  /** What objdump's -m calls it. */
  readonly objdump: string;
}
