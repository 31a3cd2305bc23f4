/** `suture catch-up` for running programs: finds, builds, loads, and says what became of each fix. */
import { availableParallelism } from "node:os";
import { catchUpPrefix, catchUpProgram, type ProgramCatchUp } from "../host/catch-up/catch-up-program.ts";
import { type Outdated, type RunningPackage, runningPackage } from "../host/catch-up/outdated.ts";
import { problemOf, SutureError } from "../lib/error.ts";
import { distribution } from "../provider/registry/distributions.ts";
import { patchedState } from "../targets/process/look.ts";
import { type RunningBuild, runningBuilds } from "../targets/process/running-builds.ts";
import { catchUpOutcome, type LoadedResult } from "./catch-up-report.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { runFileVerb, runPatchVerb } from "./run-verb.ts";
import type { TransitionChoice } from "./target-choice.ts";
import { usage } from "./usage.ts";

/** What was typed. */
export interface CatchUpChoice {
  /** All that are installed and run where there are none. */
  readonly packages: readonly string[];
  readonly isDry: boolean;
  /** A directory. */
  readonly output: string;
  /** Default: one a processor. */
  readonly jobs: number | undefined;
  readonly transition: TransitionChoice;
}

/** Throws what getting sources and building throw. */
export async function runCatchUp(choice: CatchUpChoice, context: Context): Promise<Outcome<Json<"catch-up">>> {
  const { isDry, output, jobs = availableParallelism() } = choice;
  if (jobs === 0) throw usage("--jobs takes a number from 1", "catch-up");
  const { progress } = context;
  progress.step("look at what runs");
  const { builds, hidden } = runningBuilds();
  const all = await packagesOf(choice.packages, builds, context);
  const programs: (ProgramCatchUp & { readonly results: readonly LoadedResult[] })[] = [];
  for (const outdated of all.flatMap((each) => each.outdated)) {
    const caughtUp = await catchUpProgram(outdated, { ...context, jobs, output });
    const results = isDry ? [] : await loadedInto(caughtUp, choice, context);
    programs.push({ ...caughtUp, results });
  }
  progress.done();
  return catchUpOutcome({ programs, packages: all, isDry, hidden });
}

async function packagesOf(
  given: readonly string[],
  builds: readonly RunningBuild[],
  context: Context,
): Promise<RunningPackage[]> {
  context.progress.step("look at what the archive has");
  const packages = await distribution().packageVersions(context);
  const names = given.length > 0 ? given : await packages.sourcesOf(builds.flatMap(({ paths }) => paths));
  const all: RunningPackage[] = [];
  for (const name of new Set(names)) {
    const versions = await packages.of(name);
    // What nobody has asked for by name is looked into where there is something newer.
    if (given.length === 0 && versions.versions[0] === versions.installed) continue;
    all.push(await runningPackage(versions, builds));
  }
  return all;
}

/** What the load did in each process; the package's earlier livepatches are taken out where this one is in force. */
async function loadedInto(
  { outdated, path, cumulative }: ProgramCatchUp,
  { transition }: CatchUpChoice,
  context: Context,
): Promise<LoadedResult[]> {
  if (path === undefined) return [];
  const how = { transition, context };
  const results = await resultsOf(
    async () => await runFileVerb("load", path, { kind: "all" }, { ...how, allowOlder: true }),
  );
  const name = cumulative.livepatch?.metadata.name;
  const earlier = new Map<string, number[]>();
  for (const { pid, outcome } of results) {
    if (pid === undefined || (outcome !== "done" && outcome !== "unchanged")) continue;
    for (const each of earlierIn(pid, outdated, name)) earlier.set(each, [...(earlier.get(each) ?? []), pid]);
  }
  for (const [patch, pids] of earlier) await runPatchVerb("unload", patch, { kind: "pids", pids }, how);
  return results;
}

function earlierIn(pid: number, { versions }: Outdated, name: string | undefined): string[] {
  try {
    const patches = patchedState(pid)?.core.patches ?? [];
    const prefix = catchUpPrefix(versions.name);
    return patches.map((patch) => patch.name).filter((each) => each !== name && each.startsWith(prefix));
  } catch (error) {
    if (error instanceof SutureError) return [];
    throw error;
  }
}

async function resultsOf(load: () => Promise<Outcome<Json<"load">>>): Promise<LoadedResult[]> {
  try {
    return [...(await load()).json.results];
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    // Nothing runs it any more: then nothing waits for it either.
    if (error.code === "NO_PROCESS") return [];
    return [{ name: "", outcome: "failed", problems: [problemOf(error)], notes: [], holders: [] }];
  }
}
