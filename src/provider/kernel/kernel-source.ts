import type { Cache } from "../../lib/cache.ts";
import type { Progress } from "../../lib/progress.ts";
import type { Compiler, WantedCompiler } from "../toolchain/compiler.ts";

/** What opening a kernel takes besides its name. */
export interface KernelOptions {
  readonly cache: Cache;
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

/** What making a kernel ready is given, whatever it is made from. */
export interface Making extends KernelOptions {
  /** Called before anything large is done: the compiler that the configuration names, or an error. */
  readonly compilerFor: (wanted: WantedCompiler) => Promise<Compiler>;
}

/** What a kernel can be made ready from. */
export interface KernelSource {
  /** Of its entry in the cache: a kernel's release, or what cannot be one. */
  readonly name: string;
  /** Whether what it is made from lies on this machine: damaged, it is made again. */
  readonly isAtHand: boolean;
  /** Of its entry too: `kernels` by default, which are listed as those that are ready. */
  readonly kind?: "kernels" | "modules";
  /** The compiler that a configuration names, brought to this machine where it is not here; by default one that is here. */
  compilerFor?(wanted: WantedCompiler, options: KernelOptions): Promise<Compiler>;
  /** Fills a directory, which is empty, with a ready kernel. */
  make(directory: string, making: Making): Promise<void>;
}
