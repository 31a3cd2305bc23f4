/** The machine on one screen, as lines and as --json prints it. */

import type { LiveLivepatch } from "../host/status/live.ts";
import type { InstalledLivepatch, MachineState } from "../host/status/machine.ts";
import { describeTarget } from "../host/store/installed.ts";
import { problemOf } from "../lib/error.ts";
import { describeNewer } from "../lib/format.ts";
import { columns } from "./columns.ts";
import type { Json } from "./documents.ts";
import { localTime } from "./local-time.ts";
import { hiddenLines } from "./patched-report.ts";

/** What is live, what is installed and what a reboot would bring, and the last harm. */
export function statusLines(state: MachineState): string[] {
  const { live, installed, unknown, harm, newer, damaged, hidden } = state;
  return [
    ...(live.length === 0 ? [`${state.kernel}: neither the kernel nor a process has a livepatch`] : liveLines(live)),
    ...newer.map(
      ({ pid, name, newer: what }) => `${name} (${pid}): what is remembered of its livepatches ${describeNewer(what)}`,
    ),
    ...damaged.map(({ pid, error }) => `process ${pid}: ${error.code}: ${error.message}`),
    "",
    ...(installed === undefined ? [`installed: ${unknown?.message}`] : installedLines(installed)),
    ...lostLines(state),
    ...fixLines(state.fixes),
    ...(harm === undefined
      ? []
      : [
          "",
          `last harm, ${localTime(harm.at)}: ${harm.patch} in ${harm.target}${harm.why === undefined ? "" : `: ${harm.why}`}`,
        ]),
    ...hiddenLines(hidden),
  ];
}

function liveLines(live: readonly LiveLivepatch[]): string[] {
  const rows = live.map((each) => [each.where, each.name, stateOf(each)]);
  const lines = columns(rows);
  return live.flatMap(({ holders }, index) => [
    lines[index] as string,
    ...holders.map(({ name, tid, why }) => `  ${name} (${tid}): ${why}`),
  ]);
}

function stateOf({ state, isForced, isKernel, pids, holders }: LiveLivepatch): string {
  const where = isKernel ? "" : pids.length === 1 ? ` in process ${pids[0]}` : ` in ${pids.length} processes`;
  const said = state === "unloaded" ? "unloaded, its memory stays" : state;
  return `${said}${where}${behind(state, isKernel, holders.length)}${isForced ? ", forced" : ""}`;
}

function behind(state: LiveLivepatch["state"], isKernel: boolean, tasks: number): string {
  if (state !== "enabling" && state !== "disabling") return "";
  if (!isKernel) return ", some threads have not switched";
  return tasks === 1 ? ", 1 task has not switched" : `, ${tasks} tasks have not switched`;
}

function installedLines(installed: readonly InstalledLivepatch[]): string[] {
  if (installed.length === 0) return ["nothing is installed: a reboot brings the code that is on disk"];
  const rows = installed.map((each) => [
    each.installed.name,
    describeTarget(each.installed.target),
    nowOf(each),
    each.state.isAtBoot ? "comes back after a reboot" : "does not come after a reboot",
  ]);
  const lines = columns([["INSTALLED", "FOR", "NOW", "REBOOT"], ...rows]);
  return lines.flatMap((line, index) => {
    const why = installed[index - 1]?.state.why;
    return why === undefined ? [line] : [line, `  ${why}`];
  });
}

function nowOf({ state: { kind, processes, without } }: InstalledLivepatch): string {
  switch (kind) {
    case "live":
      return processes === 0 ? "live" : `live in ${processes === 1 ? "its process" : `all ${processes} processes`}`;
    case "partly":
      return `live in ${processes - without.length} of ${processes} processes`;
    case "not-loaded":
      return processes === 0
        ? "not loaded"
        : `not loaded in ${processes === 1 ? "its process" : `${processes} processes`}`;
    case "idle":
      return "no process runs it";
    case "other-kernel":
      return "another kernel runs";
    case "not-needed":
      return "not needed any more";
    case "left-out":
      return "left out";
  }
}

/** How far what runs as an older version has caught up. */
function fixLines(fixes: MachineState["fixes"]): string[] {
  if (fixes.length === 0) return [];
  const rows = fixes.map(({ kind, name, from, live, waiting, without }) => [
    from === undefined || kind === "kernel" ? name : `${name} ${from}`,
    `${live} live`,
    `${waiting} ${waiting === 1 ? "waits" : "wait"} for a ${kind === "kernel" ? "reboot" : "restart"}`,
    ...(without.length === 0 ? [] : [`without its livepatch: ${without.join(", ")}`]),
  ]);
  return ["", "FIXES", ...columns(rows)];
}

/** What is live and nobody has installed. */
function lostLines({ live, installed }: MachineState): string[] {
  if (installed === undefined) return [];
  const kept = new Set(installed.map((each) => each.installed.name));
  const lost = live.filter(({ name, state }) => ["enabled", "enabling"].includes(state) && !kept.has(name));
  const names = [...new Set(lost.map(({ name }) => name))];
  return names.length === 0 ? [] : [`not installed, and gone with a reboot or a restart: ${names.join(", ")}`];
}

/** What --json prints of the same. */
export function statusJson(state: MachineState): Json<"status"> {
  const { kernel, live, installed, unknown, fixes, harm, newer, damaged, hidden } = state;
  return {
    kernel,
    fixes: fixes.map(({ each, ...counted }) => ({
      ...counted,
      without: [...counted.without],
      each: each.map(({ name, isLive, code }) => ({ name, live: isLive, code })),
    })),
    live: live.map(({ name, where, isKernel, state, isForced, pids, holders }) => ({
      ...{ name, where, kind: isKernel ? "kernel" : "program", state, forced: isForced, pids },
      holders: holders.map(({ tid, name, why }) => ({ tid, name, why })),
    })),
    installed: installed?.map(({ installed: { name, digest, target, version, at }, state: now }) => ({
      ...{ name, digest, target, version, at, state: now.kind, atBoot: now.isAtBoot },
      ...{ processes: now.processes, without: now.without, replaced: now.replaced, why: now.why },
    })),
    unknown: unknown === undefined ? undefined : problemOf(unknown),
    harm,
    newer: newer.map(({ pid, name, newer: { version, known, tool, names } }) => ({
      pid,
      name,
      version,
      known,
      tool,
      patches: names,
    })),
    damaged: damaged.map(({ pid, error }) => ({ pid, code: error.code, what: error.message })),
    hidden,
  };
}
