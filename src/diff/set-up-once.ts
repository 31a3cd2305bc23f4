/**
 * Local statics of C++ that their function's first call sets up, under a guard.
 * Where that call has been, what another initializer would make of them does
 * not come; where it has not, the new one does. Which of the two it is, no
 * object tells.
 *
 * Source: the Itanium C++ ABI, 3.3.3 (guards), and 5.1.5.3 (their names).
 */
import type { Pairing } from "./pairing.ts";
import type { Change } from "./propagate.ts";
import type { Selection } from "./selection.ts";
import type { Atom, Reference } from "./unit.ts";

const GUARD = "_ZGV";

/** The mangled names of the statics that have a guard in both versions, and another initializer. */
export function setUpOnce(pairing: Pairing, changes: ReadonlyMap<Atom, Change>, { pieces }: Selection): string[] {
  const names = pieces.flatMap(({ atom }) => {
    const twin = pairing.originalOf.get(atom);
    if (twin === undefined || atom.kind !== "function") return [];
    const before = initializers(twin, () => false);
    return [...initializers(atom, (used) => changes.has(used))].flatMap(([guard, after]) => {
      const was = before.get(guard);
      return was === undefined || was === after ? [] : [`_Z${guard.slice(GUARD.length)}`];
    });
  });
  return [...new Set(names)];
}

/** By the guard's name, what stands between taking and releasing it, as far as it does not depend on where it stands. */
function initializers(atom: Atom, hasChanged: (used: Atom) => boolean): Map<string, string> {
  const found = new Map<string, string>();
  let guard = "";
  let from: number | undefined;
  for (const { target, offset } of atom.references) {
    const name = target.kind === "external" ? target.name : target.kind === "atom" ? target.atom.name : "";
    if (name.startsWith(GUARD) && from === undefined) guard = name;
    else if (name === "__cxa_guard_acquire") from = offset;
    else if (name === "__cxa_guard_release" && from !== undefined) {
      found.set(guard, `${found.get(guard) ?? ""}${instructions(atom, from, offset, hasChanged)}`);
      from = undefined;
    }
  }
  return found;
}

/** @param from a field of the instruction that is the first @param to a field of the last */
function instructions(atom: Atom, from: number, to: number, hasChanged: (used: Atom) => boolean): string {
  const { code } = atom.section.arch;
  const parts: string[] = [];
  // Relative fields that branches have last: what stands behind such a field begins an instruction.
  for (let at = from + 4; at < to; ) {
    const instruction = code.decode(atom.data, at);
    if (instruction === undefined) break;
    const { length, branch } = instruction;
    parts.push(atom.data.toString("latin1", at, at + length - branch));
    for (const reference of atom.references)
      if (reference.offset >= at && reference.offset < at + length) parts.push(meaning(reference, hasChanged));
    at += length;
  }
  return parts.join("\n");
}

function meaning({ target, offset: field }: Reference, hasChanged: (used: Atom) => boolean): string {
  if (target.kind === "literal") return `${target.literal.bytes}+${target.offset}`;
  if (target.kind === "external") return `${target.name}+${target.offset}`;
  if (target.kind !== "atom") return target.kind;
  const { atom, offset } = target;
  if (hasChanged(atom)) return `changed at ${field}`;
  return `${atom.anonymous ? atom.data.toString("latin1") : atom.name}+${offset}`;
}
