/**
 * Whether a function of the running kernel can be led to a new version by a
 * jump at its entry, written while the machine stands still: the way for
 * functions that ftrace cannot take hold of.
 */
import { JUMP_SIZE, jumpOffset } from "../arch/x86_64/entry-jump.ts";
import { type Atom, entryOffset, type TableEntry } from "./unit.ts";

export type SwitchPlace =
  | { readonly kind: "place" /** From the atom's start. */; readonly offset: number }
  /** The end of a sentence that begins with the function's name. */
  | { readonly kind: "none"; readonly why: string };

/** Code that the switch itself, or the way into the kernel, may stand in, and static calls' trampolines, which the kernel rewrites. */
const UNTOUCHED = /^\.(noinstr|entry|kprobes|cpuidle|static_call)\.text/;

/**
 * Tables of instructions that the kernel rewrites while it runs, or at boot. Not those of
 * `.call_sites`: where calls are counted (CONFIG_CALL_DEPTH_TRACKING) each gets another
 * destination before it runs, and stays the call that it is.
 */
const REWRITTEN: Readonly<Record<string, string>> = {
  ".altinstructions": "an alternative instruction",
  ".parainstructions": "a paravirtual call",
  ".smp_locks": "a lock prefix",
  ".retpoline_sites": "an indirect branch",
  ".return_sites": "a return",
  __jump_table: "a jump label",
  ".static_call_sites": "a static call",
};

/** @param original of the running object */
export function switchPlace(original: Atom): SwitchPlace {
  const { name } = original.section;
  if (UNTOUCHED.test(name)) return { kind: "none", why: `lies in ${name}, which nothing may change while it runs` };
  const place = jumpOffset(original.data, entryOffset(original), (offset) => isHook(original, offset));
  if (place + JUMP_SIZE > codeEnd(original)) return { kind: "none", why: "is too short for a jump at its entry" };
  const rewritten = original.entries.find((it) => {
    const at = siteOf(it, original);
    return it.table.name in REWRITTEN && at !== undefined && at >= place && at < place + JUMP_SIZE;
  });
  if (rewritten !== undefined)
    return { kind: "none", why: `has ${REWRITTEN[rewritten.table.name]} at its entry, which the kernel rewrites` };
  return { kind: "place", offset: place };
}

function isHook(atom: Atom, at: number): boolean {
  if (atom.entries.some((it) => it.table.name === "__mcount_loc" && siteOf(it, atom) === at)) return true;
  return atom.references.some(
    ({ target, offset }) => target.kind === "external" && target.name === "__fentry__" && offset === at + 1,
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
