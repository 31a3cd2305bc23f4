/**
 * Code that runs in a patched function's frame, and lies outside that function:
 * its `.cold` part, and what it jumps to in place of a call. The kernel takes a
 * task for one inside the function only if an address on its stack lies in the
 * function itself, up to the next symbol (kernel/livepatch/transition.c,
 * klp_check_stack_func): a task that sleeps elsewhere in the frame would be
 * passed over, and wake in memory that was freed.
 */
import type { Piece, SelectedReference, Selection } from "../diff/selection.ts";
import { type Atom, entryOffset, isCode } from "../diff/unit.ts";
import type { StayRecord } from "../patch/metadata.ts";

/** Where the pieces of each patched function have to lie, so that a task in any of them is seen. */
export interface Frames {
  /** By the patched function: what is to lie right behind it, with no symbol of its own. */
  readonly behind: ReadonlyMap<Atom, readonly Atom[]>;
  /** What cannot lie behind one function: the livepatch's memory stays. */
  readonly stays: readonly StayRecord[];
}

/** @param isOther whether another unit of the livepatch defines a name anew */
export function framesOf({ unit, funcs, pieces }: Selection, isOther: (name: string) => boolean): Frames {
  const byAtom = new Map(pieces.map((piece) => [piece.atom, piece]));
  const patched = new Set(funcs.map((func) => func.patched));
  const owners = new Map<Atom, Atom[]>();
  const stays: StayRecord[] = [];
  const stay = (func: Atom, what: string): void => {
    const how = "runs in its frame, where the kernel does not see a task that sleeps";
    stays.push({ source: unit, function: func.name, what, how });
  };
  for (const func of patched) {
    const seen = new Set<Atom>([func]);
    const queue = [func];
    for (let from = queue.pop(); from !== undefined; from = queue.pop()) {
      for (const next of continuations(byAtom.get(from))) {
        if (typeof next === "string") {
          if (isOther(next)) stay(func, next);
          continue;
        }
        if (seen.has(next) || (next !== func && patched.has(next))) continue;
        seen.add(next);
        queue.push(next);
        if (isCode(next)) owners.set(next, [...(owners.get(next) ?? []), func]);
      }
    }
  }
  const behind = new Map<Atom, Atom[]>();
  for (const [atom, [func, ...more]] of owners) {
    if (func === undefined) continue;
    if (isReplacement(atom)) continue;
    if (more.length === 0) behind.set(func, [...(behind.get(func) ?? []), atom]);
    else stay(func, atom.name);
  }
  return { behind, stays };
}

/** Where a piece's code goes on without a return address of its own: pieces, jump tables on the way there, names of other units. */
function continuations(piece: Piece | undefined): (Atom | string)[] {
  if (piece === undefined) return [];
  const references = [...piece.references, ...piece.entries.flatMap((entry) => entry.references)];
  return references.flatMap((reference): (Atom | string)[] => {
    const { destination } = reference;
    if (destination.kind === "external") return isJump(piece.atom, reference) ? [destination.name] : [];
    if (destination.kind !== "piece") return [];
    const { atom, offset } = destination;
    if (isCode(atom)) {
      const isInside = atom.anonymous || isReplacement(atom) || offset !== entryOffset(atom);
      return isInside || isJump(piece.atom, reference) ? [atom] : [];
    }
    return atom.kind === "constant" && atom.anonymous ? [atom] : [];
  });
}

function isJump(from: Atom, { isBranch, offset }: SelectedReference): boolean {
  return isBranch && !from.section.arch.code.isCallField(from.data, offset);
}

/** Put in place of other instructions, so that what it leads to is led to from there. */
function isReplacement({ section }: Atom): boolean {
  return section.name === ".altinstr_replacement";
}
