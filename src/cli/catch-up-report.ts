/** What became of each fix, as lines and as --json prints it. */

import type { FixFate } from "../fixes/cumulative.ts";
import type { ProgramCatchUp } from "../host/catch-up/catch-up-program.ts";
import type { RunningPackage } from "../host/catch-up/outdated.ts";
import { EXIT, type Problem } from "../lib/error.ts";
import { refusal } from "../patch/refusal.ts";
import { columns } from "./columns.ts";
import type { Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { hiddenLines } from "./patched-report.ts";
import { shortestPath } from "./shortest-path.ts";

/** What a load did in one process, as --json prints it. */
export type LoadedResult = Json<"load">["results"][number];

type Shown = Json<"catch-up">;
type ShownProgram = Shown["programs"][number];
type ShownFix = ShownProgram["fixes"][number];

interface Found {
  readonly programs: readonly (ProgramCatchUp & { readonly results: readonly LoadedResult[] })[];
  readonly packages: readonly RunningPackage[];
  readonly isDry: boolean;
  readonly hidden: number;
}

/** Exit code 2 where a fix waits, or it is not known what a program is. */
export function catchUpOutcome({ programs, packages, isDry, hidden }: Found): Outcome<Shown> {
  const json: Shown = {
    programs: programs.map((each) => programShown(each, isDry)),
    upToDate: packages
      .filter(({ outdated, unknown }) => outdated.length === 0 && unknown.length === 0)
      .map(({ versions, upToDate }) => ({
        package: versions.name,
        version: versions.versions[0] ?? "",
        pids: upToDate,
      })),
    unknown: packages.flatMap(({ versions, unknown }) =>
      unknown.map(({ paths, pids, buildId }) => ({
        ...{ package: versions.name, paths, pids },
        problem: unknownBuild(versions.name, paths, buildId),
      })),
    ),
    dryRun: isDry,
    hidden,
  };
  const waits = json.unknown.length > 0 || json.programs.some((each) => isWaiting(each));
  return {
    exit: waits ? EXIT.refused : EXIT.done,
    json,
    lines: [...json.programs.flatMap(programLines), ...restLines(json), ...hiddenLines(hidden)],
    problems: json.unknown.map(({ problem }) => problem),
  };
}

function isWaiting({ fixes, unnamed }: ShownProgram): boolean {
  return unnamed.length > 0 || fixes.some(({ state }) => state === "waits");
}

function programShown(
  { outdated, cumulative, unnamed, path, results }: Found["programs"][number],
  isDry: boolean,
): ShownProgram {
  const { livepatch } = cumulative;
  const notLoaded = results.flatMap(({ outcome, problems }) =>
    outcome === "done" || outcome === "unchanged" ? [] : problems,
  )[0];
  const isLoaded = !isDry && path !== undefined && results.length > 0 && notLoaded === undefined;
  return {
    package: outdated.versions.name,
    from: outdated.from,
    to: outdated.to,
    files: outdated.files.map((each) => each.path),
    pids: outdated.pids,
    fixes: cumulative.fixes.map((each) => fixShown(each, { isDry, isLoaded, notLoaded })),
    livepatch: livepatch === undefined || path === undefined ? undefined : { name: livepatch.metadata.name, path },
    unnamed,
    tries: cumulative.tries,
    results,
  };
}

interface Loading {
  readonly isDry: boolean;
  /** Into every process. */
  readonly isLoaded: boolean;
  readonly notLoaded: Problem | undefined;
}

function fixShown(
  { fix: { name, subject, cves }, fate, needs }: FixFate,
  { isDry, isLoaded, notLoaded }: Loading,
): ShownFix {
  const fix = { name, subject, cves, needs };
  switch (fate.kind) {
    case "not-concerned":
      return { ...fix, state: "not-concerned" };
    case "left-out":
      return { ...fix, state: "waits", problem: fate.problem };
    case "in":
      if (isLoaded) return { ...fix, state: "live" };
      return isDry || notLoaded === undefined
        ? { ...fix, state: "ready" }
        : { ...fix, state: "waits", problem: notLoaded };
  }
}

function unknownBuild(source: string, paths: readonly string[], buildId: string): Problem {
  const { code, what, where, hint } = refusal(
    "RUNNING_BUILD_UNKNOWN",
    `what runs is no version of ${source} that this machine or the archive has`,
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

function programLines(shown: ShownProgram): string[] {
  const { from, to, pids, fixes, livepatch, unnamed, results } = shown;
  const where = pids.length === 1 ? `process ${pids[0]}` : `${pids.length} processes`;
  const rows = columns(fixes.map((fix) => [`  ${titleOf(fix)}`, SAID[fix.state]]));
  return [
    `${shown.package} ${from} in ${where}; ${to} is the newest`,
    ...fixes.flatMap(({ problem, subject }, index) => [
      rows[index] as string,
      ...(subject === undefined ? [] : [`    ${subject}`]),
      ...(problem === undefined ? [] : [`    ${problem.code}: ${problem.what}`]),
    ]),
    ...(fixes.length === 0 ? ["  no fix by name lies between the two"] : []),
    ...unnamed.map(({ code, what }) => `  not caught up: ${code}: ${what}`),
    ...(livepatch === undefined ? [] : [`  wrote ${shortestPath(livepatch.path)}`]),
    ...results.flatMap(({ pid, name, outcome, cost, problems }) =>
      resultLines(pid, { name, outcome, stopsUs: cost?.stopsUs ?? [], problems }),
    ),
  ];
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

function restLines({ upToDate, programs, unknown }: Shown): string[] {
  const lines = upToDate.map((each) => {
    const runs =
      each.pids.length === 0
        ? "does not run"
        : each.pids.length === 1
          ? "runs in 1 process"
          : `runs in ${each.pids.length} processes`;
    return `${each.package} ${each.version}: the newest, and ${runs}`;
  });
  if (lines.length > 0 || programs.length > 0 || unknown.length > 0) return lines;
  return ["nothing runs as an older version than there is"];
}
