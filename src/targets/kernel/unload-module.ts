/** Takes a livepatch's module out of the kernel. */
import { setTimeout as wait } from "node:timers/promises";
import { type ModuleLoader, readModule, staysFor } from "./modules.ts";
import { readPatch } from "./sysfs.ts";

/** What became of the module. `said` is what the kernel answered, as rmmod words it. */
export type Unloaded =
  | { readonly kind: "unloaded" }
  /** It holds itself, since addresses of it may be in use, or its transition was forced. */
  | { readonly kind: "stays"; readonly size: number }
  | { readonly kind: "failed"; readonly said: string };

/** A module that has just been disabled is busy until the kernel has let go of it. */
const BUSY_MS = 5000;
const POLL_MS = 20;

/** `root` is the root of the file system. Of a patch that is enabled, or not there, nothing is changed. */
export async function unloadModule(root: string, loader: ModuleLoader, name: string): Promise<Unloaded> {
  const end = performance.now() + BUSY_MS;
  for (;;) {
    const said = await loader.remove(name);
    if (said === undefined) return { kind: "unloaded" };
    const [patch, module] = await Promise.all([readPatch(root, name), readModule(root, name)]);
    if (module === undefined || patch?.enabled === true) return { kind: "failed", said };
    if (performance.now() >= end) {
      const stays = patch === undefined && staysFor(module);
      return stays ? { kind: "stays", size: module.size } : { kind: "failed", said };
    }
    await wait(POLL_MS);
  }
}
