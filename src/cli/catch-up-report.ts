/** What became of each fix, as lines and as --json prints it. */

import type { Cumulative, FixFate } from "../fixes/cumulative.ts";
import type { RunningPackage, UnknownBuild } from "../host/catch-up/outdated.ts";
import { EXIT, type Problem } from "../lib/error.ts";
import type { CommonMetadata } from "../patch/metadata.ts";
import { refusal } from "../patch/refusal.ts";
import { columns } from "./columns.ts";
import type { Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { hiddenLines } from "./patched-report.ts";
import { shortestPath } from "./shortest-path.ts";

/** What a load did in one process, as --json prints it. */
export type LoadedResult = Json<"load">["results"][number];

/** A kernel, or what runs of a program, with what came of its fixes. */
export interface CaughtUpSystem {
  readonly kind: "program" | "kernel";
  /** A source package, a file, or `Linux` and a release. */
  readonly name: string;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Undefined where there is no fix by name. */
  readonly cumulative: Cumulative<CommonMetadata> | undefined;
  readonly livepatch: { readonly path: string; readonly name: string } | undefined;
  readonly files: readonly string[];
  /** Of these files. */
  readonly buildIds: readonly string[];
  readonly pids: readonly number[];
  readonly unnamed: readonly Problem[];
  /** Fixes that were not tried. */
  readonly apart: readonly FixFate[];
  /** Whether there is anything that a livepatch could be loaded into. */
  readonly isRunning: boolean;
  /** The same without some fixes, by the names of their patches, and why. */
  readonly without?: ((fixes: ReadonlyMap<string, Problem>) => Promise<Omit<CaughtUpSystem, "results">>) | undefined;
  readonly results: readonly LoadedResult[];
}

type Shown = Json<"catch-up">;
type ShownSystem = Shown["systems"][number];
type ShownFix = ShownSystem["fixes"][number];

interface Found {
  readonly systems: readonly CaughtUpSystem[];
  readonly packages: readonly RunningPackage[];
  readonly isDry: boolean;
  readonly hidden: number;
  /** What else is to be said. */
  readonly lines: readonly string[];
}

/** Exit code 2 where a fix waits, or it is not known what a program is. */
export function catchUpOutcome({ systems, packages, isDry, hidden, lines }: Found): Outcome<Shown> {
  const json: Shown = {
    systems: systems.map((each) => systemShown(each, isDry)),
    upToDate: packages
      .filter(({ outdated, unknown }) => outdated.length === 0 && unknown.length === 0)
      .map(({ versions, upToDate }) => ({
        package: versions.name,
        version: versions.versions[0] ?? "",
        pids: upToDate,
      })),
    unknown: packages.flatMap(({ versions, unknown }) =>
      unknown.map((build) => ({
        ...{ package: versions.name, paths: [...build.paths], pids: [...build.pids] },
        problem: unknownBuild(versions.name, build),
      })),
    ),
    dryRun: isDry,
    hidden,
  };
  const waits = json.unknown.length > 0 || json.systems.some((each) => isWaiting(each));
  return {
    exit: waits ? EXIT.refused : EXIT.done,
    json,
    lines: [...json.systems.flatMap(systemLines), ...restLines(json), ...lines, ...hiddenLines(hidden)],
    problems: json.unknown.map(({ problem }) => problem),
  };
}

function isWaiting({ fixes, unnamed }: ShownSystem): boolean {
  return unnamed.length > 0 || fixes.some(({ state }) => state === "waits");
}

function systemShown(
  { cumulative, apart, results, isRunning, ...system }: CaughtUpSystem,
  isDry: boolean,
): ShownSystem {
  const { kind, name, from, to, files, pids, livepatch, unnamed } = system;
  const notLoaded = results.flatMap(({ outcome, problems }) =>
    outcome === "done" || outcome === "unchanged" ? [] : problems,
  )[0];
  const isLoaded = !isDry && isRunning && results.length > 0 && notLoaded === undefined;
  const fates = [...(cumulative?.fixes ?? []), ...apart];
  return {
    ...{ kind, name, from, to, files, pids, livepatch, unnamed, results },
    fixes: fates.map((each) => fixShown(each, { isLoaded, notLoaded })),
    tries: cumulative?.tries ?? 0,
  };
}

interface Loading {
  /** Into every process. */
  readonly isLoaded: boolean;
  readonly notLoaded: Problem | undefined;
}

function fixShown({ fix: { name, subject, cves }, fate, needs }: FixFate, { isLoaded, notLoaded }: Loading): ShownFix {
  const fix = { name, subject, cves, needs };
  switch (fate.kind) {
    case "not-concerned":
      return { ...fix, state: "not-concerned" };
    case "left-out":
      return { ...fix, state: "waits", problem: fate.problem };
    case "in":
      if (isLoaded) return { ...fix, state: "live" };
      return notLoaded === undefined ? { ...fix, state: "ready" } : { ...fix, state: "waits", problem: notLoaded };
  }
}

function unknownBuild(source: string, { paths, buildId, unclear }: UnknownBuild): Problem {
  const doubt = unclear === undefined ? "" : `, and its code does not tell whether it has ${unclear}`;
  const { code, what, where, hint } = refusal(
    "RUNNING_BUILD_UNKNOWN",
    `what runs is no version of ${source} that this machine or the archive has${doubt}`,
    `${paths.join(", ")}: build-id ${buildId}`,
    "restart it, or add snapshot.debian.org to apt's sources",
  );
  return { code, what, where, hint };
}

const SAID: Readonly<Record<ShownFix["state"], string>> = {
  live: "live",
  ready: "can be live",
  waits: "waits for a restart",
  "not-concerned": "does not concern what runs",
};

function systemLines(shown: ShownSystem): string[] {
  const { kind, fixes, livepatch, unnamed, results } = shown;
  const said = (state: ShownFix["state"]) =>
    kind === "kernel" && state === "waits" ? "waits for a reboot" : SAID[state];
  const rows = columns(fixes.map((fix) => [`  ${titleOf(fix)}`, said(fix.state)]));
  return [
    headOf(shown),
    ...fixes.flatMap(({ problem, subject, name }, index) => [
      rows[index] as string,
      ...(subject === undefined || subject === name ? [] : [`    ${subject}`]),
      ...(problem === undefined ? [] : [`    ${problem.code}: ${problem.what}`]),
    ]),
    ...(fixes.length === 0 ? ["  there is no fix by name"] : []),
    ...unnamed.map(({ code, what }) => `  not caught up: ${code}: ${what}`),
    ...(livepatch === undefined ? [] : [`  wrote ${shortestPath(livepatch.path)}`]),
    ...results.flatMap(({ pid, name, outcome, cost, problems }) =>
      resultLines(pid, { name, outcome, stopsUs: cost?.stopsUs ?? [], problems }),
    ),
  ];
}

function headOf({ kind, name, from, to, pids, fixes }: ShownSystem): string {
  const version = from === undefined ? "" : kind === "kernel" ? ` (${from})` : ` ${from}`;
  const processes = pids.length === 1 ? ` in process ${pids[0]}` : ` in ${pids.length} processes`;
  const live = fixes.filter(({ state }) => state === "live" || state === "ready").length;
  const waiting = fixes.filter(({ state }) => state === "waits").length;
  const counts = `${live} of ${fixes.length} fixes, ${waiting} wait`;
  return `${name}${version}${kind === "kernel" ? "" : processes}${to === undefined ? "" : `, up to ${to}`}: ${counts}`;
}

function titleOf({ name, cves }: Pick<ShownFix, "name" | "cves">): string {
  const others = cves.filter((cve) => !name.toUpperCase().includes(cve));
  return others.length === 0 ? name : `${name} (${others.join(", ")})`;
}

function resultLines(
  pid: number | undefined,
  {
    name,
    outcome,
    stopsUs,
    problems,
  }: Pick<LoadedResult, "name" | "outcome" | "problems"> & { readonly stopsUs: readonly number[] },
): string[] {
  const where = pid === undefined ? name : `${name} (${pid})`;
  const stood = stopsUs.length === 0 ? "" : `, stopped for ${stopsUs.map(Math.round).join(", ")} µs`;
  if (outcome === "done") return [`  ${where}: loaded${stood}`];
  if (outcome === "unchanged") return [`  ${where}: loaded already`];
  return [`  ${where}: not loaded`, ...problems.map((each) => `    ${each.code}: ${each.what}`)];
}

function restLines({ upToDate, systems, unknown }: Shown): string[] {
  const lines = upToDate.map((each) => {
    const runs =
      each.pids.length === 0
        ? "does not run"
        : each.pids.length === 1
          ? "runs in 1 process"
          : `runs in ${each.pids.length} processes`;
    return `${each.package} ${each.version}: the newest, and ${runs}`;
  });
  if (lines.length > 0 || systems.length > 0 || unknown.length > 0) return lines;
  return ["nothing runs as an older version than there is"];
}
