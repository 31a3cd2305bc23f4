/**
 * Whether a function of the running kernel can be led to a new version by a
 * jump at its entry, written while the machine stands still: the way for
 * functions that ftrace cannot take hold of.
 */
import type { EntryJump } from "../arch/kernel-abi.ts";
import { type Atom, entryOffset, type TableEntry } from "./unit.ts";

/** Where in a function the jump would be written, or why it has no place for one. */
export type SwitchPlace =
  | { readonly kind: "place" /** From the atom's start. */; readonly offset: number }
  /** The end of a sentence that begins with the function's name. */
  | { readonly kind: "none"; readonly why: string };

/** Code that the switch itself, or the way into the kernel, may stand in, and static calls' trampolines, which the kernel rewrites. */
const UNTOUCHED = /^\.(noinstr|entry|kprobes|cpuidle|static_call)\.text/;

/** @param original of the running object */
export function switchPlace(original: Atom): SwitchPlace {
  const { name } = original.section;
  if (UNTOUCHED.test(name)) return { kind: "none", why: `lies in ${name}, which nothing may change while it runs` };
  const { kernel, name: machine } = original.section.arch;
  const jump = kernel.entryJump;
  if (jump === undefined) return { kind: "none", why: `is code of ${machine}, where no jump at an entry is known` };
  const place = jump.offset(original.data, entryOffset(original), (offset) => isHook(original, offset, jump));
  if (place + jump.size > codeEnd(original)) return { kind: "none", why: "is too short for a jump at its entry" };
  for (const entry of original.entries) {
    const { rewrites } = entry.table;
    const at = siteOf(entry, original);
    if (rewrites !== undefined && at !== undefined && at >= place && at < place + jump.size)
      return { kind: "none", why: `has ${rewrites} at its entry, which the kernel rewrites` };
  }
  return { kind: "place", offset: place };
}

function isHook(atom: Atom, at: number, { callField }: EntryJump): boolean {
  if (atom.entries.some((it) => it.table.isHook === true && siteOf(it, atom) === at)) return true;
  const { callee } = atom.section.arch.kernel.entryHook;
  return atom.references.some(
    ({ target, offset }) => target.kind === "external" && target.name === callee && offset === at + callField,
  );
}

/** Where in the atom the entry's instruction lies. */
function siteOf({ references, table }: TableEntry, atom: Atom): number | undefined {
  const target = references.find(({ offset }) => offset === table.key)?.target;
  return target?.kind === "atom" && target.atom === atom ? target.offset : undefined;
}

/** Without the padding behind it. */
function codeEnd(atom: Atom): number {
  const ends = atom.symbols.map(({ value, size }) => value + size - atom.start);
  return Math.min(Math.max(0, ...ends), atom.data.length);
}
