/**
 * What the linker would do anew, had all of an object been built with the diff:
 * names that move from one file to another, that come twice, or that are gone
 * and still needed. A name that moves is bound to what runs under it.
 */
import { isBranch } from "../diff/hooks.ts";
import { lostStates } from "../diff/lost-state.ts";
import { isDisposable, numberedBase } from "../diff/names.ts";
import { diffUnits, type ObjectDiff } from "../diff/object-diff.ts";
import type { DiffOptions } from "../diff/options.ts";
import { externalsOf } from "../diff/selection.ts";
import { neverSetUp } from "../diff/set-up.ts";
import { type Atom, isGlobal } from "../diff/unit.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { withWanted } from "./wanted.ts";

/** A unit's diff for one object that it is part of. */
export interface LinkedDiff {
  readonly diff: ObjectDiff;
  /** `vmlinux`, a module's name, an executable or a library. */
  readonly object: string;
  /** Where the running object, or one that it is bound to, has this name for other files to see: what has it, as a clause. */
  readonly whatHas: (name: string) => string | undefined;
}

/** By the diff that has it now: the originals that are elsewhere, by name. */
type Moves<Each> = ReadonlyMap<Each, ReadonlyMap<string, Atom>>;

/** The units' diffs, made again where one unit has to know of another. */
export interface DiffedTogether<Each> {
  readonly diffs: readonly Each[];
  readonly refusals: readonly Refusal[];
}

/** What a unit's diff has to know of other units. */
export type KnownOfOthers = Pick<DiffOptions, "wanted" | "moved">;

interface Diffed<Each> {
  readonly diff: ObjectDiff;
  /** That it was made with. */
  readonly options: DiffOptions;
  /** The same diff made with what it has to know, where it is more than `diffUnits` of its two sides. */
  readonly again?: (more: KnownOfOthers) => Each;
}

/**
 * Looks at all diffs of a livepatch at once, and makes those again that have to know of
 * another: a name that has come from there, or that is wanted there. `linked` says
 * which object a diff is for, and what that has.
 */
export function diffedTogether<Each extends Diffed<Each>>(
  diffs: readonly Each[],
  linked: (each: Each) => Omit<LinkedDiff, "diff">,
): DiffedTogether<Each> {
  const seen = (each: Each) => ({ ...linked(each), diff: each.diff, each });
  const { moved, refusals } = movesAmong(diffs.map(seen));
  const moves = new Map([...moved].map(([{ each }, names]) => [each, names]));
  const bound = diffs.map((each) => (moves.has(each) ? diffedAgain(each, { moved: moves.get(each) }) : each));
  const all = withWanted(bound, (each, index, wanted) =>
    diffedAgain(each, { moved: moves.get(diffs[index] as Each), wanted }),
  );
  const final = all.map(seen);
  // A variable that no new code uses is not there twice.
  const brought = new Set(all.flatMap(({ diff }) => diff.selection.pieces.map(({ atom }) => atom)));
  const kept = new Set([...moves.values()].flatMap((names) => [...names.values()]));
  return {
    diffs: all.map((each) => withoutMoved(each, kept)),
    refusals: [
      ...[...refusals].filter(([atom]) => atom.kind === "function" || brought.has(atom)).map(([, refusal]) => refusal),
      ...newNames(final),
      ...stillNeeded(final),
      ...all.flatMap(({ diff }) => lostStates(diff, kept)),
      ...[...new Set(final.map(({ object }) => object))].flatMap((object) =>
        neverSetUp(final.filter((each) => each.object === object).map(({ diff }) => diff)),
      ),
    ],
  };
}

/** The same diff, made with what it has to know of the others. */
export function diffedAgain<Each extends Diffed<Each>>(each: Each, more: KnownOfOthers): Each {
  if (each.again !== undefined) return each.again(more);
  const { original, patched } = each.diff;
  const options = { ...each.options, ...more };
  return { ...each, options, diff: diffUnits(original, patched, options) };
}

interface Home<Each> {
  readonly of: Each;
  readonly atom: Atom;
}

/** What moves has its account where it is now, and its export where it was. */
function withoutMoved<Each extends { readonly diff: ObjectDiff }>(each: Each, moved: ReadonlySet<Atom>): Each {
  const { pairing, notes } = each.diff;
  const came = [...pairing.originalOf.values()].filter((atom) => moved.has(atom));
  const went = each.diff.original.atoms.filter((atom) => moved.has(atom));
  const isOf = (atoms: readonly Atom[], text: string) => atoms.some(({ name }) => text.startsWith(`${name} `));
  const left = notes.filter(
    ({ code, text }) =>
      !(code === "NEW_EXPORT" && isOf(came, text)) && !(code === "EXPORT_CHANGED" && isOf(went, text)),
  );
  return withoutGone(left.length === notes.length ? each : { ...each, diff: { ...each.diff, notes: left } }, moved);
}

function withoutGone<Each extends { readonly diff: ObjectDiff }>(each: Each, moved: ReadonlySet<Atom>): Each {
  const gone = new Set(
    each.diff.original.atoms.filter((atom) => moved.has(atom)).map(({ name, section }) => `${section.name} ${name}`),
  );
  if (gone.size === 0) return each;
  const fates = each.diff.fates.filter(({ name, section }) => !gone.has(`${section} ${name}`));
  return { ...each, diff: { ...each.diff, fates } };
}

function lostIn<Each extends LinkedDiff>(diffs: readonly Each[]): Map<string, Home<Each>[]> {
  return named(diffs, ({ diff }) => diff.original.atoms.filter((atom) => !diff.pairing.patchedOf.has(atom)));
}

function freshIn<Each extends LinkedDiff>(diffs: readonly Each[]): Map<string, Home<Each>[]> {
  return named(diffs, ({ diff }) => diff.patched.atoms.filter((atom) => !diff.pairing.originalOf.has(atom)));
}

function movesAmong<Each extends LinkedDiff>(
  diffs: readonly Each[],
): { readonly moved: Moves<Each>; readonly refusals: ReadonlyMap<Atom, Refusal> } {
  const lost = lostIn(diffs);
  const fresh = freshIn(diffs);
  const moved = new Map<Each, Map<string, Atom>>();
  const refusals = new Map<Atom, Refusal>();
  for (const [name, news] of fresh) {
    for (const { of, atom } of news) {
      const olds = (lost.get(name) ?? []).filter((old) => old.of !== of && isSameSort(old.atom, atom));
      const fate = fateOf(name, { of, atom }, olds, news);
      if (fate.kind === "refused") refusals.set(atom, fate.refusal);
      else if (fate.kind === "moved") moved.set(of, (moved.get(of) ?? new Map<string, Atom>()).set(name, fate.from));
    }
  }
  return { moved, refusals };
}

type Fate =
  | { readonly kind: "new" }
  | { readonly kind: "moved"; readonly from: Atom }
  | { readonly kind: "refused"; readonly refusal: Refusal };

function fateOf<Each extends LinkedDiff>(
  name: string,
  { of, atom }: Home<Each>,
  olds: readonly Home<Each>[],
  news: readonly Home<Each>[],
): Fate {
  const here = olds.filter((old) => old.of.object === of.object);
  const [only] = here;
  if (only !== undefined && here.length === 1 && isGlobal(only.atom) && isGlobal(atom))
    return { kind: "moved", from: only.atom };
  const isKnownByOthers = (old: Home<Each>) => isGlobal(old.atom) || atom.kind === "data" || isHandedOut(old);
  // A copy of an inline function comes and goes with what is inlined: it is no one's in particular.
  const elsewhere = olds.filter((old) => old.of.object !== of.object && isGlobal(old.atom));
  const from = [...here.filter(isKnownByOthers), ...elsewhere][0];
  const isCopied = atom.kind === "function" && !isGlobal(atom) && news.length > 1;
  if (from === undefined || atom.kind === "constant" || isCopied) return { kind: "new" };
  const source = from.of.diff.original.name;
  return {
    kind: "refused",
    refusal:
      atom.kind === "data"
        ? refusal(
            "VARIABLE_MOVED",
            `the variable ${name} moves from ${source}, and nothing says that it is the same one: what the running one holds would be lost`,
            of.diff.patched.name,
            "leave the variable in its file, and let the other file declare it extern",
          )
        : refusal(
            "FUNCTION_MOVED",
            `${name} moves from ${source}, where its address was given to others, which would go on with the old one`,
            of.diff.patched.name,
            "leave the function in its file, and change it there",
          ),
  };
}

/** What lasts and is known by a name that lasts. */
function named<Each extends LinkedDiff>(
  diffs: readonly Each[],
  atomsOf: (each: Each) => readonly Atom[],
): Map<string, Home<Each>[]> {
  const homes = new Map<string, Home<Each>[]>();
  for (const of of diffs) {
    for (const atom of atomsOf(of)) {
      if (!isLasting(atom)) continue;
      for (const name of lastingNames(atom)) homes.set(name, [...(homes.get(name) ?? []), { of, atom }]);
    }
  }
  return homes;
}

function isLasting(atom: Atom): boolean {
  const { role } = atom.section;
  if (atom.anonymous || atom.kind === "code" || isDisposable(atom)) return false;
  if (atom.kind !== "function" && numberedBase(atom.name) !== undefined) return false;
  return role === "code" || role === "data" || role === "constant";
}

/** Of a function without those that the compiler makes up beside them, each with a dot: `f.constprop.0`, `f.localalias`. */
function lastingNames({ kind, symbols }: Atom): string[] {
  return symbols.map(({ name }) => name).filter((name) => kind !== "function" || !name.includes("."));
}

function isSameSort(a: Atom, b: Atom): boolean {
  return (a.kind === "function") === (b.kind === "function");
}

/** Whether more than calls and jumps refer to it. */
function isHandedOut({ of, atom }: Home<LinkedDiff>): boolean {
  return of.diff.original.atoms.some((user) =>
    user.references.some(
      (reference) => reference.target.kind === "atom" && reference.target.atom === atom && !isBranch(user, reference),
    ),
  );
}

/** What code with handlers for exceptions has a pointer in: the handlers are what is refused. */
const PERSONALITY = /^DW\.ref\./;

/** A definition of a name that other files see, and that its file had not. */
export interface FreshGlobal {
  readonly name: string;
  readonly atom: Atom;
}

/** Those of a diff, but for what has come from another file, and what C++ compiles wherever it is used. */
export function freshGlobals(diff: ObjectDiff): FreshGlobal[] {
  const before = new Set(globalsIn(diff.original.atoms).map(({ name }) => name));
  return globalsIn(diff.patched.atoms).filter(
    ({ name, atom }) =>
      !before.has(name) && !isMoved(diff, name, atom) && !isVague(diff, atom) && !PERSONALITY.test(name),
  );
}

/** Names that other files see, which the running object has already, or which two files bring. */
function newNames(diffs: readonly LinkedDiff[]): Refusal[] {
  const refusals: Refusal[] = [];
  const bringers = new Map<string, LinkedDiff>();
  for (const of of diffs) {
    const others = diffs.filter((other) => other !== of && other.object === of.object);
    const besides = new Set(others.flatMap(({ diff }) => globalsIn(diff.original.atoms).map(({ name }) => name)));
    for (const { name } of freshGlobals(of.diff)) {
      const where = of.diff.patched.name;
      const key = `${of.object} ${name}`;
      const other = bringers.get(key);
      bringers.set(key, of);
      if (other !== undefined)
        refusals.push(alreadyDefined(`${name} is defined anew in ${other.diff.patched.name} and in ${where}`, where));
      else {
        const inTheWay = besides.has(name) ? `${of.object} has one already` : of.whatHas(name);
        if (inTheWay !== undefined)
          refusals.push(
            alreadyDefined(`${name} is defined anew, and ${inTheWay}: others would go on with that one`, where),
          );
      }
    }
  }
  return refusals;
}

/** Whether it is bound to what has this name in another unit's original. */
function isMoved({ pairing }: ObjectDiff, name: string, atom: Atom): boolean {
  return pairing.originalOf.get(atom)?.symbols.some((symbol) => symbol.name === name && symbol.binding !== 0) === true;
}

/** `ALREADY_DEFINED`. @param what a sentence: which name, and where it is */
export function alreadyDefined(what: string, where: string): Refusal {
  return refusal("ALREADY_DEFINED", what, where, "change the one that is there, or give the new one another name");
}

function globalsIn(atoms: readonly Atom[]): FreshGlobal[] {
  return atoms
    .filter(isLasting)
    .flatMap((atom) =>
      atom.symbols
        .filter(({ binding, name }) => binding !== 0 && !MADE_UP.test(name))
        .map(({ name }) => ({ name, atom })),
    );
}

/** Records of exports and the like, which the kernel's macros name. */
const MADE_UP = /^__(ksymtab|kstrtab|crc|export_symbol|UNIQUE_ID|addressable|pfx)_/;

/** What C++ compiles into each file that uses it, by one rule for all. */
function isVague({ patched }: ObjectDiff, atom: Atom): boolean {
  return atom.kind !== "data" && !/\.c$/.test(patched.name) && atom.symbols.every(({ binding }) => binding === 2);
}

/** What the diff takes away, and new code of another file still needs: the running one is not what a linker would find. */
function stillNeeded(diffs: readonly LinkedDiff[]): Refusal[] {
  const lost = lostIn(diffs);
  const defined = new Set(diffs.flatMap(({ diff }) => globalsIn(diff.patched.atoms).map(({ name }) => name)));
  return diffs.flatMap((of) =>
    [...externalsOf(of.diff.selection.pieces)].flatMap((name) => {
      const old = lost.get(name)?.find((home) => home.of.object === of.object && isGlobal(home.atom));
      if (old === undefined || defined.has(name)) return [];
      return refusal(
        "SYMBOL_REMOVED",
        `${name} is removed from ${old.of.diff.original.name}, and new code still needs it`,
        of.diff.patched.name,
        "leave its definition where it is",
      );
    }),
  );
}
