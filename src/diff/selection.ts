/** What the object diff takes out of the patched unit: the input of the linker. */
import type { Arch } from "../arch/arch.ts";
import type { Atom, Literal, TableEntry } from "./unit.ts";

/** What a selected reference leads to. Offsets are from the start of the thing, in bytes. */
export type Destination =
  /** A piece that travels in the livepatch. */
  | { readonly kind: "piece"; readonly atom: Atom; readonly offset: number }
  | { readonly kind: "literal"; readonly literal: Literal; readonly offset: number }
  /** What the running object already has: an atom of the original unit. */
  | { readonly kind: "original"; readonly atom: Atom; readonly offset: number }
  /** An entry of a table that travels with the code that it speaks of. */
  | { readonly kind: "entry"; readonly entry: TableEntry; readonly offset: number }
  /** A symbol that neither unit defines. */
  | { readonly kind: "external"; readonly name: string; readonly weak: boolean; readonly offset: number }
  | { readonly kind: "absolute"; readonly value: number };

/** A relocated field of a piece, with what it has to lead to in the livepatch; otherwise a `Reference`. */
export interface SelectedReference {
  readonly offset: number;
  readonly type: number;
  readonly destination: Destination;
  readonly adjust: number;
  /** A call or a jump: any other reference takes an address. */
  readonly isBranch: boolean;
}

/** An entry of a special section that goes along with its code. */
export interface SelectedEntry {
  readonly entry: TableEntry;
  readonly references: readonly SelectedReference[];
}

/** An atom of the patched unit that travels in the livepatch, with all that it refers to. */
export interface Piece {
  readonly atom: Atom;
  readonly references: readonly SelectedReference[];
  readonly entries: readonly SelectedEntry[];
  /** Of a constant that a new version of code uses: the name of what the running object has in its place, which stays as it is. */
  readonly older?: string | undefined;
}

/** A function of the running object that gets a new version. */
export interface SelectedFunc {
  readonly name: string;
  readonly original: Atom;
  readonly patched: Atom;
  readonly why: string;
  /** `hook`: by what is compiled in at its entry; `switch`: by a jump that is written while the machine stands still. */
  readonly by: "hook" | "switch";
}

/** What a word of a running variable or constant holds: bytes, and an address in place of them where it is a pointer. */
export interface WordValue {
  readonly bytes: Buffer;
  readonly pointer?: SelectedReference | undefined;
  /** Bytes of what it points to, where it is to point to a copy of that which stays for good. */
  readonly copied?: number;
}

/** A word of the running object that is overwritten while the machine stands still. */
export interface SelectedWord {
  /** Of the original unit. */
  readonly atom: Atom;
  /** From the atom's start. */
  readonly offset: number;
  /** Bytes: 8, or what is left at the atom's end. */
  readonly size: number;
  readonly before: WordValue;
  readonly after: WordValue;
  /** The entry of a table of sysctls that it is part of: the kernel may read a copy of that. `offset` from the atom's start; bytes. */
  readonly entry?: { readonly offset: number; readonly size: number } | undefined;
}

/** All of one unit that a livepatch has to bring, and all of the running object that it changes. */
export interface Selection {
  readonly unit: string;
  readonly arch: Arch;
  readonly funcs: readonly SelectedFunc[];
  /** The new version of the module's exit function, where it is changed. */
  readonly moduleExit: SelectedFunc | undefined;
  /** Code of the original that is changed, or is a part of such code: what no task may be in while it is switched. */
  readonly oldCode: readonly Atom[];
  readonly words: readonly SelectedWord[];
  /** Whether all functions have to be switched at one moment for another reason than these. */
  readonly atOnce?: boolean | undefined;
  readonly newFunctions: readonly string[];
  /** In the order of the patched unit. */
  readonly pieces: readonly Piece[];
}

/** What a diff asks of the linker through suture/livepatch.h lies in sections whose names start with this. */
export const REQUEST_SECTIONS = ".suture.";

/** Sections of callbacks start with this, and end with the callback's name in the kernel's struct klp_callbacks. */
export const CALLBACK_SECTION = `${REQUEST_SECTIONS}callback.`;

/** Whether it has what only a switch of all at one moment can patch: a function without a hook, a constant in use, a layout. */
export function needsSwitch({ funcs, words, atOnce }: Selection): boolean {
  return atOnce === true || words.length > 0 || funcs.some(({ by }) => by === "switch");
}

/** Whether a diff brings callbacks: a livepatch of them does something even where it patches no function. */
function hasCallbacks({ pieces }: Selection): boolean {
  return pieces.some(({ atom }) => atom.section.name.startsWith(CALLBACK_SECTION));
}

/** Whether a livepatch has anything of it. */
export function isLinked({ pieces, words }: Selection): boolean {
  return pieces.length > 0 || words.length > 0;
}

/** Whether what runs goes on otherwise with it. */
export function isPatching(selection: Selection): boolean {
  const { funcs, moduleExit } = selection;
  return needsSwitch(selection) || funcs.length > 0 || moduleExit !== undefined || hasCallbacks(selection);
}

/** Names that the pieces need, and that their unit does not define. */
export function externalsOf(pieces: readonly Piece[]): Set<string> {
  const names = new Set<string>();
  for (const { references, entries } of pieces) {
    for (const { destination } of [...references, ...entries.flatMap((entry) => entry.references)])
      if (destination.kind === "external") names.add(destination.name);
  }
  return names;
}
