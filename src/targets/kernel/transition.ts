/** Waiting for a transition of the kernel. */
import { setTimeout as wait } from "node:timers/promises";
import { readPatch, type SysfsPatch } from "./sysfs.ts";

/** How a transition was left by those who waited for it. */
export type Settled =
  | { readonly kind: "enabled"; readonly patch: SysfsPatch }
  /** It is not among the kernel's livepatches any more: it was disabled. */
  | { readonly kind: "gone" }
  /** Time was over, or the wait was given up. */
  | { readonly kind: "late"; readonly patch: SysfsPatch };

/** When to give up waiting; an abort counts as time that is over. */
export interface Limits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** As a look shows it: `late` where it goes on. A patch that has just been disabled is still shown for a moment. */
export function settledAs(patch: SysfsPatch | undefined): Settled {
  if (patch === undefined) return { kind: "gone" };
  return { kind: !patch.transition && patch.enabled ? "enabled" : "late", patch };
}

const POLL_MS = 20;

/** Until a patch is in no transition. `root` is the root of the file system. */
export async function settled(root: string, name: string, { timeoutMs, signal }: Limits): Promise<Settled> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const seen = settledAs(await readPatch(root, name));
    if (seen.kind !== "late" || performance.now() >= end || signal?.aborted === true) return seen;
    await wait(POLL_MS);
  }
}
