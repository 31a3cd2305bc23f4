/**
 * The last step: every piece of every section of both objects that differs, is
 * new or is gone has one fate. It goes by its own comparison and not by what the
 * steps before it took for a difference, so that a kind of piece that they forget
 * is found.
 */
import type { FateRecord } from "../patch/metadata.ts";
import type { Pairing } from "./correlate.ts";
import { Ledger } from "./ledger.ts";
import type { DiffOptions } from "./options.ts";
import type { Selection } from "./selection.ts";
import type { Atom, Unit } from "./unit.ts";
import { withoutEffect } from "./without-effect.ts";

export interface Account {
  readonly fates: readonly FateRecord[];
}

export function account(
  original: Unit,
  patched: Unit,
  pairing: Pairing,
  selection: Selection,
  options: DiffOptions,
): Account {
  const ledger = new Ledger(original, patched, pairing);
  const decided = new Decided(selection, options);
  const fates: FateRecord[] = [];
  const record = (atom: Atom, { fate, by, why }: Fate) => {
    const { name, section } = atom;
    fates.push({ source: patched.name, section: section.name, name, fate, ...(by === undefined ? {} : { by }), why });
  };
  for (const atom of patched.atoms) {
    const state = ledger.stateOf(atom);
    const fate = decided.fateOf(atom, pairing.originalOf.get(atom));
    if (fate !== undefined) record(atom, fate);
    else if (state !== "same") record(atom, { fate: "without-effect", why: withoutEffect(atom, state, options) });
  }
  for (const atom of original.atoms)
    if (ledger.isGone(atom)) record(atom, { fate: "without-effect", why: withoutEffect(atom, "gone", options) });
  return { fates };
}

type Fate = Pick<FateRecord, "fate" | "by" | "why">;

/** What the livepatch does about a piece. */
class Decided {
  readonly #fates = new Map<Atom, Fate>();
  /** By the original's atom. */
  readonly #overwritten: ReadonlySet<Atom>;

  constructor({ funcs, moduleExit, words, pieces }: Selection, { needsHook }: DiffOptions) {
    for (const { atom } of pieces) this.#fates.set(atom, { fate: "travels", why: "what is redirected uses it" });
    for (const { patched, by, why } of funcs)
      this.#fates.set(patched, { fate: "replaced", by: by === "switch" ? by : needsHook ? "ftrace" : "jump", why });
    if (moduleExit !== undefined) this.#fates.set(moduleExit.patched, { fate: "replaced", why: moduleExit.why });
    this.#overwritten = new Set(words.map(({ atom }) => atom));
  }

  fateOf(atom: Atom, twin: Atom | undefined): Fate | undefined {
    if (twin !== undefined && this.#overwritten.has(twin))
      return { fate: "overwritten", by: "switch", why: "it is in use where it lies" };
    return this.#fates.get(atom);
  }
}
