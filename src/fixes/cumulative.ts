/** One livepatch of as many whole fixes of a series as can be had, and what became of each fix. */
import type { Problem } from "../lib/error.ts";
import type { Progress } from "../lib/progress.ts";
import type { CommonMetadata } from "../patch/metadata.ts";
import { refusal } from "../patch/refusal.ts";
import { type Attempts, type BuiltFixes, FixBuilder } from "./attempt.ts";
import { closureOf, greatestSet, type LeftOut, type Tried } from "./choose.ts";
import { type Fix, fixesOf } from "./fix.ts";
import type { NamedPatch } from "./named-patch.ts";
import { readSeriesText } from "./needs.ts";

/** What became of a fix. */
export type Fate =
  /** All of it is in the livepatch. */
  | { readonly kind: "in" }
  | { readonly kind: "left-out"; readonly problem: Problem }
  /** It changes nothing of what runs. */
  | { readonly kind: "not-concerned" };

/** A fix of the series. */
export interface FixFate {
  readonly fix: Fix;
  readonly fate: Fate;
  /** Names of the others that it needs. */
  readonly needs: readonly string[];
  /** Functions that get a new version by it, or by what it needs; none where it was not built by itself. */
  readonly functions: readonly PatchedFunction[];
}

/** A function, by the object that it is of. */
export interface PatchedFunction {
  readonly object: string;
  readonly name: string;
}

/** What a livepatch for a kernel, and one for a program, say of what they patch. */
export interface PatchingMetadata extends CommonMetadata {
  readonly objects: readonly { readonly name: string; readonly funcs: readonly { readonly name: string }[] }[];
}

/** Of a whole series. */
export interface Cumulative<Metadata extends CommonMetadata> {
  /** In the order of the series. */
  readonly fixes: readonly FixFate[];
  /** Undefined where no fix is in it. */
  readonly livepatch: BuiltFixes<Metadata> | undefined;
  /** How many sets of fixes were tried. */
  readonly tries: number;
}

/** What a series is held against. */
export interface SeriesSource {
  /** The source as it is without the series. */
  readonly tree: string;
  /** Files of which no code is made, whatever they hold. */
  readonly isPassedOver: (path: string) => boolean;
  /** Of these, those that nothing depends on which is installed and runs. */
  readonly isBeside: (path: string) => boolean;
  /** Why a patch is not to be tried, by its name. */
  readonly barred?: ReadonlyMap<string, Problem> | undefined;
}

/** Throws what a build throws that is not about the diffs. */
export async function cumulativeOf<Metadata extends PatchingMetadata>(
  series: readonly NamedPatch[],
  source: SeriesSource,
  attempts: Attempts<Metadata>,
  progress: Progress,
): Promise<Cumulative<Metadata>> {
  const fixes = fixesOf(series);
  const text = readSeriesText(series, fixes, source);
  const builder = new FixBuilder(series, fixes, attempts);
  let tries = 0;
  const attempt = async (set: readonly number[]): Promise<Tried<Problem>> => {
    progress.step(`try ${set.length === 1 ? fixes[set[0] ?? 0]?.name : `${set.length} fixes together`} (${++tries})`);
    const patches = set.flatMap((fix) => fixes[fix]?.patches ?? []);
    const bar = patches.map((patch) => source.barred?.get(series[patch]?.name ?? "")).find((why) => why !== undefined);
    if (bar !== undefined) return { kind: "fails", why: bar, mayLack: false };
    const other = set
      .flatMap((fix) => text.paths[fix] ?? [])
      .find((path) => source.isPassedOver(path) && !source.isBeside(path));
    if (other !== undefined) return { kind: "fails", why: notOnlyCode(other), mayLack: false };
    return await builder.try(set);
  };
  const chosen = await greatestSet(text.needs, attempt);
  const inSet = new Set(chosen.set);
  const livepatch = builder.built.get(chosen.set.join());
  // What changes nothing by itself, and another one of the set needs, is part of what is in force; what one of
  // the set takes back is not.
  const without = new Set(chosen.nothing);
  const effective = livepatch === undefined ? [] : chosen.set.filter((fix) => !without.has(fix));
  const used = new Set(effective.flatMap((fix) => [...closureOf(fix, text.needs)]));
  const takenBack = new Set(chosen.takenBack);
  const isOfNoEffect = (fix: number): boolean =>
    inSet.has(fix) ? !used.has(fix) || takenBack.has(fix) : without.has(fix);
  const fates = fixes.map((fix, place): FixFate => {
    const needs = [...(text.needs[place] ?? [])].map((other) => fixes[other]?.name ?? "");
    const alone = [...closureOf(place, text.needs)].sort((a, b) => a - b).join();
    const told = { fix, needs, functions: functionsOf(builder.built.get(alone)?.metadata) };
    if (isOfNoEffect(place)) return { ...told, fate: { kind: "not-concerned" } };
    if (inSet.has(place)) return { ...told, fate: { kind: "in" } };
    return { ...told, fate: { kind: "left-out", problem: problemOf(chosen.leftOut.get(place), fix, fixes) } };
  });
  return { fixes: fates, livepatch, tries: chosen.tries };
}

function functionsOf(metadata: PatchingMetadata | undefined): PatchedFunction[] {
  return (metadata?.objects ?? []).flatMap(({ name: object, funcs }) => funcs.map(({ name }) => ({ object, name })));
}

function problemOf(leftOut: LeftOut<Problem> | undefined, fix: Fix, fixes: readonly Fix[]): Problem {
  if (leftOut === undefined) throw new Error(`nothing is known of ${fix.name}`);
  switch (leftOut.kind) {
    case "fails":
      return leftOut.why;
    case "needs": {
      const other = fixes[leftOut.other]?.name ?? "";
      return problem(
        "NEEDS_LEFT_OUT",
        `it needs ${other}, which is left out`,
        fix.name,
        "install the fixed package, and restart what runs of it",
      );
    }
    case "conflict": {
      const { code, what } = leftOut.why;
      return problem(
        "NOT_BESIDE_OTHERS",
        `it can be had by itself, and not beside the others: ${code}: ${what}`,
        fix.name,
        "install the fixed package, and restart what runs of it",
      );
    }
  }
}

function notOnlyCode(path: string): Problem {
  return problem(
    "NOT_ONLY_CODE",
    `it changes ${path} too, which is no code of a program and may be installed`,
    path,
    "install the fixed package, and restart what runs of it",
  );
}

function problem(...args: Parameters<typeof refusal>): Problem {
  const { code, what, where, hint } = refusal(...args);
  return { code, what, where, hint };
}
