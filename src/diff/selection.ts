/** What the object diff takes out of the patched unit: the input of the linker. */
import type { Atom, Literal, TableEntry } from "./unit.ts";

export type Destination =
  /** A piece that travels in the livepatch. */
  | { readonly kind: "piece"; readonly atom: Atom; readonly offset: number }
  | { readonly kind: "literal"; readonly literal: Literal; readonly offset: number }
  /** What the running object already has: an atom of the original unit. */
  | { readonly kind: "original"; readonly atom: Atom; readonly offset: number }
  /** A symbol that neither unit defines. */
  | { readonly kind: "external"; readonly name: string; readonly weak: boolean; readonly offset: number }
  | { readonly kind: "absolute"; readonly value: number };

export interface SelectedReference {
  readonly offset: number;
  readonly type: number;
  readonly destination: Destination;
  readonly adjust: number;
  /** A call or a jump: any other reference takes an address. */
  readonly isBranch: boolean;
}

export interface SelectedEntry {
  readonly entry: TableEntry;
  readonly references: readonly SelectedReference[];
}

export interface Piece {
  readonly atom: Atom;
  readonly references: readonly SelectedReference[];
  readonly entries: readonly SelectedEntry[];
}

/** A function of the running object that gets a new version. */
export interface SelectedFunc {
  readonly name: string;
  readonly original: Atom;
  readonly patched: Atom;
  readonly why: string;
}

export interface Selection {
  readonly unit: string;
  readonly funcs: readonly SelectedFunc[];
  /** The new version of the module's exit function, where it is changed. */
  readonly moduleExit: SelectedFunc | undefined;
  readonly newFunctions: readonly string[];
  /** In the order of the patched unit. */
  readonly pieces: readonly Piece[];
}
