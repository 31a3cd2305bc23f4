/** `suture unload --all`: every livepatch that is loaded, the last one first. */
import { kernelState } from "../targets/kernel/look.ts";
import { patchedProcesses } from "../targets/process/look.ts";
import type { VerbResult } from "../targets/verb-result.ts";
import type { Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { kernelTarget } from "./in-kernel.ts";
import { inEachProcess, type VerbRun } from "./run-in-processes.ts";
import { told } from "./run-verb.ts";
import type { PatchedChoice } from "./target-choice.ts";

interface Unloaded {
  readonly patch: string;
  readonly results: VerbResult[];
}

/** What is refused somewhere holds up nothing else. */
export async function runUnloadAll(choice: PatchedChoice, how: VerbRun): Promise<Outcome<Json<"unload">>> {
  const unloaded: Unloaded[] = [];
  let hidden = 0;
  if (choice.kind === "any" || choice.kind === "kernel") unloaded.push(...(await ofKernel(how)));
  if (choice.kind !== "kernel") {
    const seen = patchedProcesses();
    hidden = choice.kind === "pids" ? 0 : seen.hidden;
    const isMeant = (pid: number): boolean => choice.kind !== "pids" || choice.pids.includes(pid);
    for (const [patch, pids] of patchesOf(seen.processes.filter(({ pid }) => isMeant(pid)))) {
      if (how.context.signal.aborted) break;
      const run = { mayEnd: choice.kind !== "pids" };
      unloaded.push({ patch, results: await inEachProcess(pids, how, (target) => target.unload(patch), run) });
    }
  }
  const outcomes: Outcome<Json<"unload">>[] = [];
  for (const { patch, results } of unloaded) outcomes.push(await told("unload", patch, results));
  const exit = outcomes.find((each) => each.exit !== 0)?.exit ?? 0;
  return {
    exit,
    json: { patch: "", results: unloaded.flatMap(({ results }) => results), hidden, unloaded },
    lines: outcomes.length === 0 ? ["no livepatch is loaded"] : outcomes.flatMap(({ lines }) => lines),
    problems: outcomes.flatMap(({ problems = [] }) => problems),
  };
}

/** One that is disabled, and that nothing takes out of memory any more, is left. */
async function ofKernel(how: VerbRun): Promise<Unloaded[]> {
  const unloaded: Unloaded[] = [];
  const { patches } = await kernelState();
  for (const { name, stays } of patches.toReversed()) {
    if (how.context.signal.aborted) break;
    if (!stays) unloaded.push({ patch: name, results: [await kernelTarget(how).unload(name)] });
  }
  return unloaded;
}

/** The patches by name, with the processes that have each: one that lies on another in any process comes before it. */
function patchesOf(
  states: readonly {
    readonly pid: number;
    readonly core: { readonly patches: readonly { readonly name: string }[] };
  }[],
): Map<string, number[]> {
  const pids = new Map<string, number[]>();
  const deepest = Math.max(0, ...states.map(({ core }) => core.patches.length));
  for (let place = deepest - 1; place >= 0; place--)
    for (const { pid, core } of states) {
      const name = core.patches[place]?.name;
      if (name !== undefined) pids.set(name, [...(pids.get(name) ?? []), pid]);
    }
  return pids;
}
