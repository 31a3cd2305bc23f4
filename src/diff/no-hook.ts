/** Why a function that cannot be led to its new version is refused: others reach it than callers that can. */
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Atom } from "./unit.ts";

/** What is known of a function without a hook. */
interface Hookless {
  /** Why it has none, as the end of `it is changed, …`. */
  readonly why: string;
  /** File and section. */
  readonly where: string;
}

/** NO_HOOK for a function that other files may call. */
export function calledFromOthers({ name }: Atom, { why, where }: Hookless): Refusal {
  return refusal(
    "NO_HOOK",
    `${name} is changed, ${why}, and can be called from other files`,
    where,
    "change its callers instead, through a new function of another name",
  );
}

/** NO_HOOK for a function whose address `holder` has, or has given to what lives on. */
export function calledThrough({ name }: Atom, { why, where }: Hookless, holder: Atom): Refusal {
  return refusal(
    "NO_HOOK",
    `${name} is changed, ${why}, and is called through a pointer that ${holder.name} has`,
    where,
    "set the pointer in a post-patch callback, and back in a pre-unpatch one",
  );
}
