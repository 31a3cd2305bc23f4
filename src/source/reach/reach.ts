/**
 * Whether what a diff changes in a unit's declarations can reach its code.
 *
 * Both preprocessed texts are cut into top-level chunks. Those that they have in
 * common, in order, are kept; the others are taken out, and so is, again and
 * again, each kept chunk that mentions a name which one taken out introduces. If
 * all that is taken out is inert (see declaration.ts), the unit is not reached.
 *
 * Why that is so. What is left of both texts is the same text, and it means the
 * same in both: a name in it is looked up among declarations of that name, and
 * none of those taken out has a name that occurs in it, as an identifier, in a
 * pragma, or as a word of a string, such as the target of an alias. So it does
 * not see a type through others either: whatever mentions a changed type, in
 * declaring a function, a variable or a member, is taken out with it, and what
 * uses that in turn. What is taken out makes no code or data: it only declares,
 * or is static and without a use that is left. It does nothing but by its names:
 * no pragma, `asm` or attribute that acts by itself, no declaration of a function
 * that the compiler calls unasked, no mention of a tag before all others that are
 * left, which would make the tag one of its scope. So the code that runs is a
 * translation of the patched text too. Labels and sections that number what the
 * compiler has seen may differ; code by `__LINE__` and `__COUNTER__` is other
 * text, and thereby a chunk that is not in common.
 *
 * Whether what is taken out compiles is not asked.
 */
import type { Alignment } from "./align.ts";
import type { Chunks } from "./chunks.ts";
import { type Declaration, declarationOf } from "./declaration.ts";
import { grouped } from "./grouped.ts";
import { tagsDeclaredBy } from "./tags-declared.ts";
import { tokensOf } from "./tokens.ts";

/** A chunk that is taken out. */
interface Taken {
  readonly declaration: Declaration;
  /** Of the patched text's chunks, those before it. */
  readonly before: number;
}

/** @param removed of each chunk that the alignment says is removed, what it declares; undefined where it is not inert */
export function reachesCode(
  patched: Chunks,
  { removed, added }: Alignment,
  removedDeclarations: readonly (Declaration | undefined)[],
): boolean {
  const out = new Set(added);
  const isDeclaredBefore = tagFinder(patched, out);
  const names = new Set<string>();
  let waiting: Taken[] = [];
  const take = (declaration: Declaration | undefined, before: number): boolean => {
    if (declaration !== undefined) waiting.push({ declaration, before });
    return declaration !== undefined;
  };
  if (!removed.every(({ before }, i) => take(removedDeclarations[i], before))) return true;
  if (!added.every((index) => take(declarationOf(patched.text(index)), index))) return true;
  while (waiting.length > 0) {
    const fresh = new Set<string>();
    for (const { declaration, before } of waiting) {
      const tags = declaration.tags.filter((tag) => !names.has(tag) && !isDeclaredBefore(tag, before));
      for (const name of [...declaration.names, ...tags]) {
        if (names.has(name)) continue;
        names.add(name);
        fresh.add(name).add(`__builtin_${name}`);
      }
    }
    waiting = [];
    if (fresh.size === 0) break;
    for (const index of patched.mentioning(fresh)) {
      if (out.has(index)) continue;
      if (!take(declarationOf(patched.text(index)), index)) return true;
      out.add(index);
    }
  }
  return false;
}

/** Whether a chunk that is left declares a tag, for the whole file, before a place. */
function tagFinder(chunks: Chunks, out: ReadonlySet<number>) {
  const mentions = new Map<string, readonly number[]>();
  return (tag: string, before: number): boolean => {
    let places = mentions.get(tag);
    if (places === undefined) {
      places = [...chunks.mentioning(new Set([tag]))].reverse();
      mentions.set(tag, places);
    }
    for (const index of places) {
      if (index >= before) return false;
      if (!out.has(index) && tagsDeclaredBy(grouped(tokensOf(chunks.text(index))) ?? []).includes(tag)) return true;
    }
    return false;
  };
}
