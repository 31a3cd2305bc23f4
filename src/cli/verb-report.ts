/** What verbs did in the running kernel or in programs: the outcome of a command. */
import { EXIT, type ExitCode, type Problem } from "../lib/error.ts";
import type { CostRecord, HolderRecord, VerbResult } from "../targets/verb-result.ts";
import type { Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { hiddenLines } from "./patched-report.ts";

/**
 * One line for each target, then what it cost, then why not. Exit code 2 where
 * any target refused, else 1 where there was an error.
 *
 * @param did what is said of a target in which it is done, for instance `loaded`
 */
export function verbOutcome(
  patch: string,
  did: string,
  results: readonly VerbResult[],
  hidden = 0,
): Outcome<Json<"load">> {
  return {
    exit: exitOf(results),
    json: { patch, results, hidden },
    lines: [...results.flatMap((result) => resultLines(patch, did, result)), ...hiddenLines(hidden)],
    problems: distinct(results.flatMap(({ problems }) => problems)),
  };
}

function exitOf(results: readonly VerbResult[]): ExitCode {
  if (results.some(({ outcome }) => ["refused", "reversed", "pending"].includes(outcome))) return EXIT.refused;
  return results.some(({ outcome }) => outcome === "failed") ? EXIT.environment : EXIT.done;
}

function resultLines(patch: string, did: string, result: VerbResult): string[] {
  const { pid, name, outcome, cost, notes, holders, kept } = result;
  const said = {
    done: did,
    unchanged: `${did} already`,
    refused: "refused, nothing was changed",
    reversed: "turned back, all is as it was before",
    pending: "not ended: the transition goes on",
    failed: "failed",
  }[outcome];
  return [
    `${pid === undefined ? name : `${name} (${pid})`}: ${patch} ${said}`,
    ...(cost === undefined ? [] : costLines(cost)),
    ...holders.flatMap(holderLines),
    ...(kept === undefined
      ? []
      : [`  ${kept >> 10} KiB of it stay in memory: something may have addresses of its code or data`]),
    ...notes.map((note) => `  ${note}`),
  ];
}

function holderLines({ name, tid, why, help }: HolderRecord): string[] {
  return [`  ${name} (${tid}): ${why}`, ...(help === undefined ? [] : [`    ${help}`])];
}

/** What standing still cost the process. */
function costLines({ mapping, stopsUs, tries, threads, single }: CostRecord): string[] {
  const lines: string[] = [];
  if (mapping !== undefined)
    lines.push(`  thread ${mapping.tid} stopped for ${us(mapping.stoppedUs)} to map what it needs`);
  if (stopsUs.length > 0) {
    const all = threads === 1 ? "its thread" : `all ${threads} threads`;
    const times = stopsUs.length === 1 ? `for ${us(stopsUs[0] ?? 0)}` : `${stopsUs.length} times, ${spread(stopsUs)}`;
    lines.push(`  ${all} stopped ${times}${tries === 0 ? "" : `; ${count(tries, "try", "tries")}`}`);
  }
  if (single.length > 0) {
    const times = single.map(({ stoppedUs }) => stoppedUs);
    const stops = single.reduce((sum, each) => sum + each.stops, 0);
    lines.push(
      `  ${count(single.length, "thread")} stopped one by one, ${count(stops, "stop")}, ${spread(times)} a thread`,
    );
  }
  return lines;
}

/** Median and longest. */
function spread(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? 0;
  const longest = sorted.at(-1) ?? 0;
  return sorted.length === 1 ? us(median) : `median ${us(median)}, longest ${us(longest)}`;
}

function us(time: number): string {
  return `${Math.round(time)} µs`;
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** The same reason in a hundred processes is told once for each place. */
function distinct(problems: readonly Problem[]): Problem[] {
  const seen = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
  return [...seen.values()];
}
