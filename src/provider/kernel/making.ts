import type { Compiler } from "../toolchain/compiler.ts";

/** What making a kernel ready is given, whatever it is made from. */
export interface Making {
  /** Called before anything large is done: the compiler that the configuration names, or an error. */
  readonly compilerFor: (versionText: string) => Promise<Compiler>;
  readonly step: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}
