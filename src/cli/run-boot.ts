/** `suture boot`: what is installed is loaded, and what a boot has died of is not. */
import { takeHarmfulAway } from "../host/boot/harmful.ts";
import { judgeBoots } from "../host/boot/judge.ts";
import { type BootResult, loadInstalled } from "../host/boot/load-installed.ts";
import { runningSystem } from "../host/boot/running-system.ts";
import { hostPaths } from "../host/paths.ts";
import { dropUnneeded } from "../host/status/drop-unneeded.ts";
import { notePlaces } from "../host/status/note-places.ts";
import { bootId } from "../host/store/boot-id.ts";
import { describeTarget } from "../host/store/installed.ts";
import { HostStore } from "../host/store/store.ts";
import { EXIT } from "../lib/error.ts";
import { KernelTarget } from "../targets/kernel/kernel-target.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import type { VerbRun } from "./run-in-processes.ts";

/** Where nothing is installed there is nothing to do. */
export async function runBoot({ signal }: Context): Promise<Outcome<Json<"boot">>> {
  using store = HostStore.open(hostPaths());
  if (store === undefined) return { exit: EXIT.done, json: { installed: [] }, lines: ["nothing is installed"] };
  judgeBoots(store, bootId());
  const results = await loadInstalled(store, await runningSystem({ signal }), { verb: "boot", signal });
  notePlaces(store);
  return { ...toldOf(results), json: { installed: results } };
}

/** `suture load --all`, which marks nothing: the machine lives. */
export async function runLoadInstalled({ transition, context: { signal } }: VerbRun): Promise<Outcome<Json<"load">>> {
  using store = HostStore.open(hostPaths());
  const { consistency, timeoutSeconds, keep } = transition;
  const timeoutMs = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000;
  const targets = await runningSystem({ signal, consistency, timeoutMs, onDeadline: keep ? "keep" : "reverse" });
  const results = store === undefined ? [] : await loadInstalled(store, targets, { verb: "load", signal });
  if (store !== undefined) notePlaces(store);
  return {
    ...toldOf(results),
    json: { patch: "", results: results.flatMap((each) => each.results), hidden: 0, installed: results },
  };
}

function toldOf(results: readonly BootResult[]): Pick<Outcome, "exit" | "lines" | "problems"> {
  return {
    exit: results.some(({ state }) => state === "refused") ? EXIT.refused : EXIT.done,
    lines: results.length === 0 ? ["nothing is installed"] : results.map(bootLine),
    problems: results.flatMap((each) => each.results.flatMap(({ problems }) => problems)),
  };
}

const SAID: Readonly<Record<BootResult["state"], string>> = {
  loaded: "loaded",
  unchanged: "loaded already, or nothing runs that it is for",
  refused: "refused",
  "other-kernel": "left as it is: this kernel does not run",
  "left-out": "left out",
};

function bootLine({ name, target, state, results, why }: BootResult): string {
  const pids = results.filter(({ pid, outcome }) => pid !== undefined && outcome === "done").length;
  const where = pids === 0 ? "" : ` into ${pids === 1 ? "1 process" : `${pids} processes`}`;
  return `${target}: ${name} ${SAID[state]}${where}${why === undefined ? "" : `: ${why}`}`;
}

/** @param lived else: it is ended in order */
export async function endBoot(lived: boolean, { signal }: Context): Promise<Outcome<Json<"boot">>> {
  const paths = hostPaths();
  using store = HostStore.open(paths);
  if (store === undefined) return { exit: EXIT.done, json: { installed: [] }, lines: [] };
  const unload = (name: string) => new KernelTarget({ signal }).unload(name);
  const harmful = lived ? await takeHarmfulAway(store, bootId(), unload) : [];
  store.endTrials(lived);
  // By now services run, those too that were upgraded.
  if (lived) notePlaces(store);
  const dropped = lived ? await dropUnneeded(paths, signal) : [];
  const installed = harmful.map(({ name, target, why, result }): BootResult => {
    return { name, target, state: "left-out", why, results: [result] };
  });
  const lines = [
    ...installed.map(bootLine),
    ...dropped.map(({ name, target }) => `${describeTarget(target)}: ${name} is not needed any more, and dropped`),
  ];
  return { exit: EXIT.done, json: { installed }, lines, problems: harmful.flatMap(({ result }) => result.problems) };
}
