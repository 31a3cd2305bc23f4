/** What a run over a corpus comes to, in numbers. */
import { livepatchOf, outcomeOf, type Row, type Timing } from "./row.ts";

export interface Summary {
  readonly files: number;
  /** Alone, from the file's own diff. */
  readonly built: number;
  /** Of all that were built, with others too. */
  readonly loaded: number;
  readonly refused: number;
  readonly noChange: number;
  readonly needsOthers: number;
  readonly crashed: number;
  /** Of those that need others, with these added. */
  readonly withOthers: Readonly<
    Record<"built" | "refused" | "noChange" | "tooWide" | "outOfTime" | "stuck" | "crashed", number>
  >;
  readonly reference: Readonly<Record<string, number>>;
  readonly functions: Readonly<Record<"proved" | "absent" | "differing" | "unaccounted", number>>;
  /** Livepatches that `suture audit` was asked about, and those of which it found anything. */
  readonly audit?: { readonly livepatches: number; readonly withFindings: number } | undefined;
  readonly ratioToCompiles: { readonly median: number; readonly p90: number } | undefined;
  readonly diffAndLinkSeconds: { readonly median: number } | undefined;
}

export function summaryOf(rows: readonly Row[]): Summary {
  const outcomes = rows.map(outcomeOf);
  const count = (name: string) => outcomes.filter((outcome) => outcome === name).length;
  const widened = rows.flatMap(({ others }) => (others === undefined ? [] : [others.result.outcome]));
  const countOthers = (name: string) => widened.filter((outcome) => outcome === name).length;
  const timings = rows.flatMap(({ timing }) => (timing === undefined ? [] : [timing]));
  const matches = rows.flatMap(({ match }) => (match === undefined ? [] : [match]));
  const audits = rows.flatMap(({ audit }) => audit ?? []);
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  return {
    files: rows.length,
    built: count("built"),
    loaded: rows.filter((row) => livepatchOf(row) !== undefined && row.vm?.kind === "patched").length,
    refused: count("refused"),
    noChange: count("no-change"),
    needsOthers: count("needs-others"),
    crashed: count("crashed") + countOthers("crashed"),
    withOthers: {
      built: countOthers("built"),
      refused: countOthers("refused"),
      noChange: countOthers("no-change"),
      tooWide: countOthers("too-wide"),
      outOfTime: countOthers("out-of-time"),
      stuck: countOthers("stuck"),
      crashed: countOthers("crashed"),
    },
    reference: referenceCounts(rows),
    functions: {
      proved: sum(matches.map(({ proved }) => proved)),
      absent: sum(matches.map(({ absent }) => absent.length)),
      differing: sum(matches.map(({ differing }) => differing.length)),
      unaccounted: sum(matches.map(({ unaccounted }) => unaccounted.length)),
    },
    ...(audits.length === 0
      ? {}
      : {
          audit: { livepatches: audits.length, withFindings: audits.filter((each) => each.findings.length > 0).length },
        }),
    ratioToCompiles: ratios(timings),
    diffAndLinkSeconds:
      timings.length === 0
        ? undefined
        : {
            median: quantile(
              timings.map(({ diffAndLink }) => diffAndLink),
              0.5,
            ),
          },
  };
}

function referenceCounts(rows: readonly Row[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reference } of rows) if (reference !== "") counts[reference] = (counts[reference] ?? 0) + 1;
  return counts;
}

/** Undefined of none. */
export function ratios(timings: readonly Timing[]): Summary["ratioToCompiles"] {
  if (timings.length === 0) return undefined;
  const all = timings.map(({ build, compiles }) => build / compiles);
  return { median: quantile(all, 0.5), p90: quantile(all, 0.9) };
}

/** The smallest value that at least this part of the values do not pass, to three places. */
function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
  return Math.round(value * 1000) / 1000;
}
