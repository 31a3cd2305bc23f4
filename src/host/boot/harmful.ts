/** What a boot has loaded and the kernel complains of: it is taken away, and left out from then on. */
import { archOfHost } from "../../arch/registry.ts";
import { findingsIn } from "../../rehearse/kernel-log.ts";
import { KernelMessages, type LogLine } from "../../targets/kernel/kernel-messages.ts";
import type { VerbResult } from "../../targets/verb-result.ts";
import { describeTarget } from "../store/installed.ts";
import type { HostStore } from "../store/store.ts";
import { FAULTS } from "../supervise/harm.ts";
import type { LeftOut } from "./judge.ts";

/** One that was taken away. */
export interface Harmful extends LeftOut {
  /** What became of it in the kernel. */
  readonly result: VerbResult;
}

/** How it is taken out of the kernel. */
export type Unload = (name: string) => Promise<VerbResult>;

/**
 * The first line of the first fault in which the livepatch's own code was running, or was to be returned to; undefined
 * where there is none since it was last loaded. A trace says of each function which module it is of.
 */
export function faultOf(name: string, log: readonly LogLine[]): string | undefined {
  const loaded = log.findLastIndex(({ text }) => text === `livepatch: enabling patch '${name}'`);
  if (loaded < 0) return undefined;
  const isOwn = (line: string): boolean => /\+0x[0-9a-f]+\/0x/.test(line) && line.includes(` [${name}]`);
  const findings = findingsIn(log.slice(loaded), archOfHost().vm?.faults ?? NO_FAULTS);
  return findings.find(({ kind, line, context }) => FAULTS.has(kind) && [line, ...context].some(isOwn))?.line;
}

/** Of what this boot has loaded into the kernel. @param boot its id @param log all that the kernel has said since it began */
export async function takeHarmfulAway(
  store: HostStore,
  boot: string,
  unload: Unload,
  log: readonly LogLine[] = KernelMessages.all() ?? [],
): Promise<Harmful[]> {
  const trials = store.trials().filter((trial) => trial.boot === boot);
  const harmful: Harmful[] = [];
  for (const each of store.installed()) {
    const own = trials.filter(({ installed }) => installed === each.id);
    if (each.target.kind !== "kernel" || each.leftOut !== undefined || own.length === 0) continue;
    const fault = faultOf(each.name, log);
    if (fault === undefined) continue;
    const why = `the kernel has printed, out of its code: ${fault}`;
    const event = { patch: each.name, target: describeTarget(each.target), code: "HARM", why } as const;
    store.leaveOut(each, why, { ...event, verb: "leave-out", outcome: "done" });
    // It is judged: this boot proves nothing for it.
    for (const { id } of own) store.forgetTrial(id);
    const result = await unload(each.name);
    store.record({ ...event, verb: "revert", outcome: result.outcome === "done" ? "reversed" : result.outcome });
    harmful.push({ name: each.name, target: event.target, why, result });
  }
  return harmful;
}

const NO_FAULTS = { oops: /(?!)/, context: /(?!)/ };
