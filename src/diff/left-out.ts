/** What is left out of a livepatch since it would have no effect: each reason once, with all pieces that it holds for. */
import type { LeftOutRecord, PieceRecord } from "../patch/metadata.ts";
import type { Refusal } from "../patch/refusal.ts";
import type { Atom } from "./unit.ts";

/** One atom, of either unit, and why a livepatch does without it. */
export interface LeftOut {
  readonly finding: Refusal;
  readonly atom: Atom;
  /** What is told of with it: the function that an initcall calls. */
  readonly called?: PieceRecord | undefined;
}

/**
 * @param source of the unit
 * @param judged by what a difference means where it lies
 * @param found of what comes or goes; what registers functions that are all left out by their own names goes with these
 */
export function leftOutRecords(
  source: string,
  judged: readonly LeftOut[],
  found: readonly LeftOut[],
): readonly LeftOutRecord[] {
  const groups = new Map<string, Group>();
  for (const [list, mayGoWith] of [[judged, false] as const, [found, true] as const]) {
    for (const { finding, atom, called } of list) {
      const key = JSON.stringify(finding);
      const group = groups.get(key) ?? { finding, atoms: [], called: [], mayGoWith };
      group.atoms.push(atom);
      if (called !== undefined) group.called.push(called);
      groups.set(key, group);
    }
  }
  const byFunction = new Map(
    [...groups.values()].flatMap((group) => group.atoms.filter(isFunction).map((atom) => [atom, group] as const)),
  );
  const records = [...groups.values()].filter((group) => {
    const named = group.atoms.map((atom) =>
      (isFunction(atom) ? [] : functionsOf(atom)).map((each) => byFunction.get(each)),
    );
    const goesWith = named.every((list) => list.length > 0 && !list.includes(undefined));
    if (!group.mayGoWith || !goesWith) return true;
    for (const [i, atom] of group.atoms.entries()) named[i]?.[0]?.atoms.push(atom);
    return false;
  });
  return records.map(({ finding, atoms, called }) => ({
    ...finding,
    pieces: [...atoms.map((atom) => pieceRecord(source, atom)), ...called],
  }));
}

interface Group {
  readonly finding: Refusal;
  readonly atoms: Atom[];
  readonly called: PieceRecord[];
  readonly mayGoWith: boolean;
}

/** How metadata names an atom: by the unit's source, its section and its name. */
export function pieceRecord(source: string, { name, section }: Pick<Atom, "name" | "section">): PieceRecord {
  return { source, section: section.name, name };
}

function isFunction({ kind }: Atom): boolean {
  return kind === "function";
}

function functionsOf({ references }: Atom): Atom[] {
  return references.flatMap(({ target }) => (target.kind === "atom" && isFunction(target.atom) ? [target.atom] : []));
}
