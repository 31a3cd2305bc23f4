/** `suture catch-up`: finds what runs as an older version, builds, loads, and says what became of each fix. */
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import type { FixFate } from "../fixes/cumulative.ts";
import { readSeries } from "../fixes/read-series.ts";
import { catchUpKernel } from "../host/catch-up/catch-up-kernel.ts";
import { catchUpProgram } from "../host/catch-up/catch-up-program.ts";
import type { CatchUpOptions } from "../host/catch-up/catch-up-series.ts";
import { kernelDifference, newestDifference } from "../host/catch-up/named-fixes.ts";
import { type Outdated, type RunningPackage, runningPackage, type UnknownBuild } from "../host/catch-up/outdated.ts";
import { type TakenBack, takenBack } from "../host/catch-up/taken-back.ts";
import type { Problem } from "../lib/error.ts";
import type { KernelChoice } from "../provider/kernel/kernel.ts";
import { distribution } from "../provider/registry/distributions.ts";
import type { ProgramChoice } from "../subject/program/open-program.ts";
import { type RunningBuild, type RunningBuilds, runningBuilds } from "../targets/process/running-builds.ts";
import { type CaughtUpSystem, catchUpOutcome } from "./catch-up-report.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { keepFixes } from "./keep-fixes.ts";
import { loadWithoutHeld } from "./load-without-held.ts";
import type { Choice, TransitionChoice } from "./target-choice.ts";

/** What is to be caught up, and with what. */
export type CatchUpOf =
  /** All that are installed and run where there are none. */
  | { readonly kind: "packages"; readonly packages: readonly string[] }
  | { readonly kind: "kernel"; readonly kernel: KernelChoice; readonly series: string | undefined }
  | { readonly kind: "program"; readonly program: ProgramChoice; readonly series: string };

/** What was typed. */
export interface CatchUpChoice {
  readonly of: CatchUpOf;
  /** The processes that are meant. */
  readonly processes: Choice;
  readonly isDry: boolean;
  /** A directory. */
  readonly output: string;
  /** Default: one a processor. */
  readonly jobs: number | undefined;
  readonly transition: TransitionChoice;
}

/** Throws what getting sources and building throw. */
export async function runCatchUp(choice: CatchUpChoice, context: Context): Promise<Outcome<Json<"catch-up">>> {
  const { of, processes, isDry, output, jobs = availableParallelism() } = choice;
  const options = { ...context, output, jobs };
  const { systems, ...rest } = await caughtUp(of, processes, options);
  const loaded: CaughtUpSystem[] = [];
  for (const system of systems) {
    const how = { transition: choice.transition, context };
    loaded.push(isDry ? { ...system, results: [] } : await loadWithoutHeld(system, processes, how));
  }
  const lines = isDry ? [] : await keepFixes(loaded, context.signal);
  context.progress.done();
  return catchUpOutcome({ packages: [], hidden: 0, ...rest, systems: loaded, isDry, lines });
}

/** What there is of a system before anything is loaded. */
type System = Omit<CaughtUpSystem, "results">;
/** Fixes that are left out, and why. */
type Without = ReadonlyMap<string, Problem>;

interface Found {
  readonly systems: readonly System[];
  readonly packages?: readonly RunningPackage[];
  readonly hidden?: number;
}

async function caughtUp(of: CatchUpOf, processes: Choice, options: CatchUpOptions): Promise<Found> {
  const running = (): RunningBuilds => runningBuilds(processes.kind === "pids" ? processes.pids : undefined);
  switch (of.kind) {
    case "packages":
      return await packagesCaughtUp(of.packages, running, options);
    case "kernel":
      return { systems: [await kernelCaughtUp(of.kernel, of.series, options)] };
    case "program": {
      const series = await readSeries(of.series, options.signal);
      const { builds, hidden } = running();
      const { program } = of;
      const name =
        program.kind === "package" ? (program.name.split("=")[0] ?? "") : basename(program.executables[0] ?? "");
      const make = async (barred?: Without): Promise<System> => {
        const found = await catchUpProgram(
          series,
          { name, choice: program, version: undefined, barred },
          builds,
          options,
        );
        return { ...found, kind: "program", name, unnamed: [], apart: [], isRunning: found.pids.length > 0 };
      };
      return { hidden, systems: [{ ...(await make()), without: make }] };
    }
  }
}

async function packagesCaughtUp(
  given: readonly string[],
  running: () => RunningBuilds,
  options: CatchUpOptions,
): Promise<Found> {
  options.progress.step("look at what runs");
  const { builds, hidden } = running();
  const packages = await packagesOf(given, builds, options);
  const systems: System[] = [];
  for (const outdated of packages.flatMap((each) => each.outdated))
    systems.push(await outdatedCaughtUp(outdated, builds, options));
  const told: RunningPackage[] = [];
  for (const each of packages) {
    const unknown: UnknownBuild[] = [];
    for (const build of each.unknown) {
      const back = await takenBack(each.versions, build, options);
      if (back?.kind === "taken-back") systems.push(await takenBackCaughtUp(each, back, build, { builds, options }));
      else unknown.push({ ...build, unclear: back?.patch });
    }
    told.push({ ...each, unknown });
  }
  return { systems, packages: told, hidden };
}

async function packagesOf(
  given: readonly string[],
  builds: readonly RunningBuild[],
  options: CatchUpOptions,
): Promise<RunningPackage[]> {
  options.progress.step("look at what the archive has");
  const packages = await distribution().packageVersions(options);
  const names = given.length > 0 ? given : await packages.sourcesOf(builds.flatMap(({ paths }) => paths));
  const all: RunningPackage[] = [];
  for (const name of new Set(names)) {
    const versions = await packages.of(name);
    // What nobody has asked for by name is looked into where there is something newer.
    if (given.length === 0 && versions.versions.length === 1) continue;
    all.push(await runningPackage(versions, builds));
  }
  return all;
}

async function outdatedCaughtUp(
  { versions, from, files, pids }: Outdated,
  builds: readonly RunningBuild[],
  options: CatchUpOptions,
): Promise<System> {
  const newer = versions.versions.slice(0, versions.versions.indexOf(from));
  const { series, barred, apart, unnamed, to } = await newestDifference(versions, from, newer);
  const { name } = versions;
  const system = { kind: "program", name, from, to, unnamed, apart, isRunning: true } as const;
  if (series.length === 0)
    return {
      ...system,
      cumulative: undefined,
      livepatch: undefined,
      files: files.map(({ path }) => path),
      buildIds: files.map(({ buildId }) => buildId),
      pids,
    };
  const choice = { kind: "package", name: versions.spec(from), executables: [] } as const;
  const make = async (without: Without = new Map()): Promise<System> => {
    const of = { name, choice, version: from, barred: new Map([...without, ...barred]) };
    return { ...system, ...(await catchUpProgram(series, of, builds, options)) };
  };
  return { ...(await make()), without: make };
}

/** A build of no version that there is. */
async function takenBackCaughtUp(
  { versions: { name } }: RunningPackage,
  { to, series, choice }: TakenBack,
  { buildId }: RunningBuild,
  { builds, options }: { readonly builds: readonly RunningBuild[]; readonly options: CatchUpOptions },
): Promise<System> {
  const from = `${to} without its last ${series.length === 1 ? "patch" : `${series.length} patches`}`;
  const make = async (barred?: Without): Promise<System> => {
    const found = await catchUpProgram(series, { name, choice, version: buildId, barred }, builds, options);
    return { ...found, kind: "program", name, from, to, unnamed: [], apart: [], isRunning: true };
  };
  return { ...(await make()), without: make };
}

async function kernelCaughtUp(
  kernel: KernelChoice,
  given: string | undefined,
  options: CatchUpOptions,
): Promise<System> {
  const make = async (without: Without = new Map()): Promise<System> => {
    let to: string | undefined;
    let unnamed: readonly Problem[] = [];
    let apart: readonly FixFate[] = [];
    const found = await catchUpKernel(
      kernel,
      async (version) => {
        if (given !== undefined) return { series: await readSeries(given, options.signal), barred: without };
        const packages = await distribution().packageVersions(options);
        const difference = await kernelDifference(packages, version);
        ({ to, unnamed, apart } = difference);
        return { series: difference.series, barred: new Map([...without, ...difference.barred]) };
      },
      options,
    );
    const from = found.version === "" ? undefined : found.version;
    return {
      ...{ kind: "kernel", name: `Linux ${found.release}`, from, to, unnamed, apart },
      ...{ cumulative: found.cumulative, livepatch: found.livepatch, isRunning: found.isRunning },
      ...{ files: [], buildIds: [], pids: [] },
    };
  };
  return { ...(await make()), without: make };
}
