/** Types that a diff changes: what the running system holds has the old layout. */
import { compareLayouts, type LayoutChange } from "../btf/compare.ts";
import { compareContents } from "../btf/compare-declarations.ts";
import { describeChange } from "../btf/describe-change.ts";
import { readBtf } from "../btf/read.ts";
import type { Btf } from "../btf/types.ts";
import type { ObjectDiff } from "../diff/object-diff.ts";
import type { Atom } from "../diff/unit.ts";
import type { ElfFile } from "../elf/model.ts";
import type { Note } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Stopwatch } from "./stopwatch.ts";

/** What is said of the types that one unit's diff changes; `refusals` and `changes` have the same order. */
export interface TypeFindings {
  readonly refusals: readonly Refusal[];
  /** What each refusal is about. */
  readonly changes: readonly LayoutChange[];
  readonly notes: readonly Note[];
}

/** A unit of which both sides were compiled with `-gbtf`. */
export interface TypedPair {
  readonly unit: { readonly source: string };
  readonly originalFile: ElfFile;
  readonly patchedFile: ElfFile;
}

/** Compares the types of a unit before and after, from the `.BTF` that gcc wrote into both objects. */
export function layoutFindings({ unit, originalFile, patchedFile }: TypedPair, watch: Stopwatch): TypeFindings {
  return watch.time("types", () => {
    const before = typesOf(originalFile);
    const after = typesOf(patchedFile);
    const refusals: Refusal[] = [];
    const changes: LayoutChange[] = [];
    const notes: Note[] = [];
    // Who calls has refused such a unit, or has other words of its types.
    if (before === undefined || after === undefined) return { refusals, changes, notes };
    for (const change of compareLayouts(before, after)) {
      if (change.compatible)
        notes.push({
          code: "TYPE_EXTENDED",
          text: `${titleOf(change)} is changed, and everything in it stays where it was; in what exists already nobody has set what is new`,
        });
      else {
        changes.push(change);
        refusals.push(layoutRefusal(change, unit.source));
      }
    }
    return { refusals, changes, notes };
  });
}

/**
 * A refusal for a unit of whose types its compiler tells nothing, before or after the diff: whether
 * new code takes what runs for something else is not known then. Empty for one that it tells of.
 * @param telling names of the sections of which one has to be in both objects
 */
export function untoldTypes(pair: TypedPair, telling: readonly string[]): Refusal[] {
  const { unit, originalFile, patchedFile } = pair;
  const tells = ({ sections }: ElfFile, by: string) => sections.some(({ name, size }) => name === by && size > 0);
  if (telling.some((by) => tells(originalFile, by) && tells(patchedFile, by))) return [];
  return [
    refusal(
      "TYPES_NOT_TOLD",
      "the compiler tells nothing of this file's types, so that it is not known whether the diff changes one that what runs has in use",
      unit.source,
      "leave options for debugging information out of its compile command, and take a compiler that tells of types: gcc from version 12 on, clang",
    ),
  ];
}

/**
 * Running variables that are of another type with the diff, so that new code would
 * take what they hold for something else.
 * @param diffs of the unit, one for each object that it is part of
 */
export function variableRefusals(pair: TypedPair, diffs: readonly ObjectDiff[], watch: Stopwatch): Refusal[] {
  return watch.time("types", () => {
    const before = typesOf(pair.originalFile);
    const after = typesOf(pair.patchedFile);
    if (before === undefined || after === undefined) return [];
    const changed = compareContents(before, after).filter(({ name }) => diffs.some((diff) => isState(diff, name)));
    return changed.map(({ name, original, patched }) =>
      refusal(
        "DATA_LAYOUT_CHANGED",
        `the variable ${name} is declared as ${patched} instead of ${original}; the running one holds what it was`,
        pair.unit.source,
        "leave its type as it is, and keep what is new in a variable of another name, which a pre-patch callback sets up from it",
      ),
    );
  });
}

/** Whether a variable of this name is there before and after, and not constant; one of another size is told of as that. */
export function isState({ patched, pairing }: ObjectDiff, name: string): boolean {
  // Compilers tell of a static variable of C++ by its plain name, which is a part of its symbol's (Itanium C++ ABI, 5.1).
  const part = `${name.length}${name}`;
  const isIt = (symbol: string) => symbol === name || (/^_Z/.test(symbol) && symbol.includes(part));
  return patched.atoms.some(
    (atom) =>
      atom.kind === "data" &&
      atom.section.role === "data" &&
      sizeOf(pairing.originalOf.get(atom)) === sizeOf(atom) &&
      atom.symbols.some((symbol) => isIt(symbol.name)),
  );
}

function sizeOf(atom: Atom | undefined): number | undefined {
  return atom && atom.end - atom.start;
}

/** What gcc's `-gbtf` told of a unit's types. */
export function typesOf(file: ElfFile): Btf | undefined {
  const section = file.sections.find(({ name }) => name === ".BTF");
  return section === undefined ? undefined : readBtf(section.data, file.name);
}

function titleOf(change: LayoutChange): string {
  return change.name === "" ? `a nameless ${change.kind}` : `${change.kind} ${change.name}`;
}

function layoutRefusal(change: LayoutChange, source: string): Refusal {
  return refusal(
    "DATA_LAYOUT_CHANGED",
    `${describeChange(change)}; what the running system holds has the old layout`,
    source,
    change.kind.startsWith("enum")
      ? "leave the numbers that there are as they are, and put new names behind the last one"
      : "leave the type as it is, and keep the new member in a shadow variable",
  );
}
