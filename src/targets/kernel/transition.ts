/** Waiting for a transition of the kernel. */
import { setTimeout as wait } from "node:timers/promises";
import { type Headcount, headcount } from "./holders.ts";
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
  readonly watch?: Watch | undefined;
  /** Whether it goes back to where it came from. */
  readonly isTurnedBack?: boolean | undefined;
}

/** As a look shows it: `late` where it goes on. A patch that has just been disabled is still shown for a moment. */
export function settledAs(patch: SysfsPatch | undefined): Settled {
  if (patch === undefined) return { kind: "gone" };
  return { kind: !patch.transition && patch.enabled ? "enabled" : "late", patch };
}

/** A transition at one moment, for who watches it. */
export interface TransitionLook extends Headcount {
  readonly patch: string;
  /** `turning-back`: it took too long, or was given up. */
  readonly going: "enabling" | "disabling" | "turning-back";
  /** Milliseconds since it began. */
  readonly elapsedMs: number;
  /** When it is given up, counted in the same way. */
  readonly timeoutMs: number;
}

/** Who is told of a transition while it goes on. */
export type Watch = (look: TransitionLook) => void;

const POLL_MS = 20;
/** Between two looks at all tasks; the first one comes as late. */
const LOOK_MS = 500;

/** Until a patch is in no transition. `root` is the root of the file system. */
export async function settled(root: string, name: string, limits: Limits): Promise<Settled> {
  const { timeoutMs, signal } = limits;
  const began = performance.now();
  const end = began + timeoutMs;
  let looked = began;
  for (;;) {
    const seen = settledAs(await readPatch(root, name));
    if (seen.kind !== "late" || performance.now() >= end || signal?.aborted === true) return seen;
    if (limits.watch !== undefined && seen.patch.transition && performance.now() - looked >= LOOK_MS) {
      limits.watch(await lookAt(root, seen.patch, began, limits));
      looked = performance.now();
    }
    await wait(POLL_MS);
  }
}

async function lookAt(
  root: string,
  patch: SysfsPatch,
  began: number,
  { timeoutMs, isTurnedBack }: Limits,
): Promise<TransitionLook> {
  const going = isTurnedBack === true ? "turning-back" : patch.enabled ? "enabling" : "disabling";
  const counted = await headcount(root, patch);
  return { patch: patch.name, going, elapsedMs: performance.now() - began, timeoutMs, ...counted };
}
