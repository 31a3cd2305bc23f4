/** What a diff does to things that the compiler numbers or lays out by itself: refused where it is not clear which is which. */

import type { ObjectDiff } from "../../diff/object-diff.ts";
import { type Atom, isCode, type Reference } from "../../diff/unit.ts";
import type { RefusalCode } from "../../lib/codes.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { ChangedFile } from "../../source/diffs/diff-input.ts";
import { familyOf, isCoroutine, isLambda } from "./numbered-names.ts";

interface Family {
  readonly original: Map<string, Atom>;
  readonly patched: Map<string, Atom>;
}

/**
 * `NUMBERED_AMBIGUOUS`, `COROUTINE_CHANGED` and `CLOSURE_CHANGED`: running objects have
 * the old numbers and layouts.
 */
export function numberedRefusals(diff: ObjectDiff, files: readonly ChangedFile[]): Refusal[] {
  const { selection } = diff;
  const refusals: Refusal[] = [];
  const refuse = (code: RefusalCode, what: string, hint: string) =>
    refusals.push(refusal(code, what, selection.unit, hint));
  for (const [, family] of familiesOf(diff)) {
    const lost = unclear(family);
    if (lost === undefined) continue;
    refuse(
      "NUMBERED_AMBIGUOUS",
      `${lost} is told from others like it by a number that the compiler gives, and with the diff it is not clear which is which: what holds the old one would get another's`,
      "add new lambdas, local classes and static locals behind those that are there, or give them other parameters or names",
    );
  }
  for (const { name, original } of selection.funcs) {
    if (isCoroutine(name))
      refuse(
        "COROUTINE_CHANGED",
        `${name} is part of a coroutine: those that are suspended have the old layout, and would be resumed in the middle of the new one`,
        "change a function that the coroutine calls",
      );
    else if (isLambda(name) && mayHaveOtherCaptures(original, diff, files))
      refuse(
        "CLOSURE_CHANGED",
        `${name} is a lambda, and so may be what it captures: closures that are stored have the old layout`,
        "leave either the lambda or the function that makes it as it is, or call a new function from it",
      );
  }
  return refusals;
}

function familiesOf({ original, patched }: ObjectDiff): Map<string, Family> {
  const families = new Map<string, Family>();
  for (const [unit, side] of [
    [original, "original"],
    [patched, "patched"],
  ] as const) {
    for (const atom of unit.atoms) {
      const name = atom.anonymous ? undefined : atom.symbols[0]?.name;
      const family = name === undefined ? undefined : familyOf(name);
      if (name === undefined || family === undefined) continue;
      const key = `${isCode(atom) ? "code" : "data"} ${family}`;
      const found = families.get(key) ?? { original: new Map(), patched: new Map() };
      families.set(key, found);
      found[side].set(name, atom);
    }
  }
  return families;
}

/** The name of a member that may be another one by now. */
function unclear({ original, patched }: Family): string | undefined {
  const hasOthers =
    [...original.keys()].some((name) => !patched.has(name)) || [...patched.keys()].some((name) => !original.has(name));
  for (const [name, before] of original) {
    const after = patched.get(name);
    if (after === undefined) continue;
    if (before.kind === "data" && hasOthers) return name;
    if (isAlike(before, after)) continue;
    const isElsewhere = [...patched].some(([other, atom]) => other !== name && isAlike(before, atom));
    if (hasOthers || isElsewhere) return name;
  }
  return undefined;
}

/** By contents, what is numbered in them aside. */
function isAlike(a: Atom, b: Atom): boolean {
  if (a.kind !== b.kind || a.end - a.start !== b.end - b.start || !a.data.equals(b.data)) return false;
  if (a.references.length !== b.references.length) return false;
  return a.references.every((reference, index) => token(reference) === token(b.references[index] as Reference));
}

function token({ offset, type, target }: Reference): string {
  return `${offset} ${type} ${named(target)}`;
}

function named(target: Reference["target"]): string {
  switch (target.kind) {
    case "atom":
      return `${target.atom.anonymous ? target.atom.section.name : unnumbered(target.atom.name)}+${target.offset}`;
    case "literal":
      return `"${target.literal.bytes}+${target.offset}`;
    case "entry":
      return `${target.entry.table.name}+${target.offset}`;
    case "external":
      return `${target.name}+${target.offset}`;
    case "absolute":
      return String(target.value);
  }
}

function unnumbered(name: string): string {
  return familyOf(name) ?? name.replace(/\.\d+$/, "");
}

/** A lambda's introducer, which no name or bracket stands before: what it captures. */
const INTRODUCER = /(?<![\w)\]]\s*)\[([^[\]]*)\]\s*(?=[({<]|mutable\b|noexcept\b|constexpr\b|->)/g;

/**
 * Whoever makes a closure stores what it captures: where that code is the same, so is the layout. Else no
 * lambda of the changed files may capture anything.
 */
function mayHaveOtherCaptures(lambda: Atom, diff: ObjectDiff, files: readonly ChangedFile[]): boolean {
  const enclosing = diff.original.atoms.filter((atom) => isEnclosing(atom, lambda));
  const twins = enclosing.map((atom) => ({ atom, twin: diff.pairing.patchedOf.get(atom) }));
  const isSame = twins.length > 0 && twins.every(({ atom, twin }) => twin !== undefined && isAlike(atom, twin));
  if (isSame) return false;
  const texts = files.flatMap(({ original, patched: after }) => [original ?? "", after ?? ""]);
  return texts.some((text) => [...text.matchAll(INTRODUCER)].some(([, captures = ""]) => captures.trim() !== ""));
}

function isEnclosing({ kind, symbols }: Atom, lambda: Atom): boolean {
  if (kind !== "function") return false;
  const inner = lambda.symbols[0]?.name ?? "";
  return symbols.some(({ name }) => name.startsWith("_Z") && inner.includes(`Z${name.slice(2)}E`) && name !== inner);
}
