/** What the account of a diff is made from. */
import type { Refusal } from "../patch/refusal.ts";
import type { DiffOptions } from "./options.ts";
import type { Pairing } from "./pairing.ts";
import type { Selection } from "./selection.ts";
import type { Atom, Unit } from "./unit.ts";

/** Both units, and what each step has said about them. */
export interface Books {
  readonly original: Unit;
  readonly patched: Unit;
  readonly pairing: Pairing;
  readonly selection: Selection;
  /** What was said to be without effect, by the patched atom. */
  readonly leftOut: ReadonlyMap<Atom, Refusal>;
  /** Functions of the patched unit that differ in nothing but line numbers. */
  readonly inLines: ReadonlySet<Atom>;
  readonly options: DiffOptions;
}
