/** Mutants by kind, in numbers. */
import type { Mutant } from "./mutant.ts";

export interface KindRow {
  readonly kind: string;
  readonly made: number;
  readonly built: number;
  readonly refused: number;
  readonly noChange: number;
  readonly unaccounted: number;
  readonly rehearsed: number;
  readonly held: number;
  readonly unsafe: number;
}

export interface MutantSummary {
  readonly release: string;
  readonly seed: number;
  /** Mutants that change code. */
  readonly count: number;
  readonly kinds: readonly KindRow[];
  readonly total: KindRow;
  /** By refusal code. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Made again, since they are no C. */
  readonly notCompiled: number;
  readonly crashed: number;
  /** Commits of suture that they were made with. */
  readonly commits: readonly string[];
}

export function mutantSummary(release: string, seed: number, all: readonly Mutant[]): MutantSummary {
  const compiled = all.filter(({ outcome }) => outcome !== "does-not-compile");
  const kinds = [...new Set(compiled.map(({ kind }) => kind))].sort();
  const refusals: Record<string, number> = {};
  for (const { outcome, codes } of compiled)
    if (outcome === "refused") for (const code of codes) refusals[code] = (refusals[code] ?? 0) + 1;
  return {
    release,
    seed,
    count: compiled.filter(({ outcome }) => outcome !== "no-change").length,
    kinds: kinds.map((kind) =>
      rowOf(
        kind,
        compiled.filter((each) => each.kind === kind),
      ),
    ),
    total: rowOf("all", compiled),
    refusals,
    notCompiled: all.length - compiled.length,
    crashed: compiled.filter(({ outcome }) => outcome === "crashed").length,
    commits: [...new Set(compiled.flatMap(({ commit }) => commit ?? []))],
  };
}

function rowOf(kind: string, mutants: readonly Mutant[]): KindRow {
  const count = (is: (mutant: Mutant) => boolean) => mutants.filter(is).length;
  return {
    kind,
    made: mutants.length,
    built: count(({ outcome }) => outcome === "built"),
    refused: count(({ outcome }) => outcome === "refused"),
    noChange: count(({ outcome }) => outcome === "no-change"),
    unaccounted: count(({ findings }) => findings.length > 0),
    rehearsed: count(({ guest }) => guest !== undefined),
    held: count(({ guest }) => guest?.kind === "held"),
    unsafe: count(({ guest }) => guest?.kind === "unsafe"),
  };
}
