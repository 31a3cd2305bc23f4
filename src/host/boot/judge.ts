/** Looks back at the boots before this one: what one of them has died of is loaded no more. */
import { describeTarget, type Installed } from "../store/installed.ts";
import type { HostStore } from "../store/store.ts";
import type { Trial } from "../store/trials.ts";
import { suspectsOf } from "./suspects.ts";

/** A livepatch that is installed, and is not loaded any more. */
export interface LeftOut {
  readonly name: string;
  readonly target: string;
  readonly why: string;
}

/** Killed at any moment, the next call judges the same. @param boot this one's id @returns what is left out from now on */
export function judgeBoots(store: HostStore, boot: string): LeftOut[] {
  const others = store.trials().filter((trial) => trial.boot !== boot);
  const installed = store.installed();
  const isProved = (id: number): boolean => installed.find((each) => each.id === id)?.lived !== undefined;
  const found: LeftOut[] = [];
  for (const each of new Set(others.map((trial) => trial.boot))) {
    const suspects = suspectsOf(
      others.filter((trial) => trial.boot === each),
      isProved,
    );
    for (const suspect of suspects) {
      const livepatch = installed.find(({ id }) => id === suspect.installed);
      if (livepatch === undefined || livepatch.leftOut !== undefined) continue;
      found.push(leaveOut(store, livepatch, whyOf(suspect, suspects.length)));
    }
  }
  store.forgetOtherBoots();
  return found;
}

function leaveOut(store: HostStore, livepatch: Installed, why: string): LeftOut {
  const target = describeTarget(livepatch.target);
  const { name } = livepatch;
  store.leaveOut(livepatch, why, { verb: "leave-out", patch: name, target, outcome: "done", code: "BOOT_DIED", why });
  return { name, target, why };
}

function whyOf({ phase }: Trial, suspects: number): string {
  if (phase === "loading") return "a boot ended without a word while it was being loaded";
  const others = suspects === 1 ? "" : ", and others that were new with it";
  return `a boot ended without a word soon after it was loaded${others}`;
}
