/**
 * What of the running object's data can be overwritten while the machine stands
 * still. A constant by the patched one: same size, and nothing in what changes
 * that would point into the livepatch, which can be unloaded. A variable's
 * pointers, where it is known who uses them: what the kernel has made of any other
 * value since is not.
 */
import type { ElfAbi } from "../arch/elf-abi.ts";
import type { Pairing } from "./pairing.ts";
import type { Destination, SelectedWord, WordValue } from "./selection.ts";
import { type Atom, entryOffset, type Reference } from "./unit.ts";

const WORD = 8;

/** Where an address of the patched unit leads once the livepatch is in; undefined where that cannot be in live data. */
type Lead = (atom: Atom, offset: number) => Destination | undefined;

/**
 * The words of a patched constant that differ from its twin's; undefined where
 * it cannot be written in place.
 */
export function differingWords(patched: Atom, pairing: Pairing): SelectedWord[] | undefined {
  if (patched.kind !== "constant" || patched.section.role !== "constant") return undefined;
  const words = wordsBetween(patched, pairing, (atom, offset) => {
    const twin = pairing.originalOf.get(atom);
    return twin === undefined ? undefined : { kind: "original", atom: twin, offset };
  });
  // Who calls through a table asks first whether a function is there, and may sleep before the call.
  return words?.every(({ before, after }) => leadsToFunction(before) === leadsToFunction(after)) ? words : undefined;
}

/**
 * The pointers of a patched variable that differ from its twin's, where nothing
 * else does. They may lead into the livepatch, so that it has to be of a type
 * that is used in place.
 */
export function differingPointers(patched: Atom, pairing: Pairing): SelectedWord[] | undefined {
  if (patched.kind !== "data" || patched.section.name.startsWith(".data..percpu")) return undefined;
  const words = wordsBetween(patched, pairing, leadAnywhere(pairing));
  return words?.every(({ before, after }) => isPointer(before) && isPointer(after)) ? words : undefined;
}

/**
 * The functions of a table that differ from its twin's, where each takes the place
 * of another: what is there or not may have been asked when the table was handed out.
 */
export function differingOperations(patched: Atom, pairing: Pairing): SelectedWord[] | undefined {
  if (patched.kind !== "constant" || patched.section.role !== "constant") return undefined;
  const words = wordsBetween(patched, pairing, leadAnywhere(pairing));
  return words?.every(({ before, after }) => leadsToFunction(before) && leadsToFunction(after)) ? words : undefined;
}

/** To what the running object has, and else into the livepatch. */
function leadAnywhere(pairing: Pairing): Lead {
  return (atom, offset) => {
    const twin = pairing.originalOf.get(atom);
    return twin === undefined ? { kind: "piece", atom, offset } : { kind: "original", atom: twin, offset };
  };
}

/**
 * The pointers of variables to a constant that differs from its twin, for them to
 * lead to a copy of the new one; undefined where it has other users than these,
 * or holds addresses itself.
 */
export function pointersToCopy(
  patched: Atom,
  users: readonly Atom[],
  pairing: Pairing,
): readonly SelectedWord[] | undefined {
  const original = pairing.originalOf.get(patched);
  if (original === undefined || patched.anonymous || patched.references.length > 0) return undefined;
  const { pointer: pointerTo } = patched.section.arch.elf.relocations;
  const words: SelectedWord[] = [];
  for (const user of users) {
    const running = pairing.originalOf.get(user);
    for (const { offset, type, target, adjust } of user.references) {
      if (target.kind !== "atom" || target.atom !== patched) continue;
      if (running === undefined || type !== pointerTo || offset % WORD !== 0 || target.offset !== 0) return undefined;
      const to = (destination: Destination): WordValue => ({
        bytes: Buffer.alloc(WORD),
        pointer: { offset: 0, type, adjust, destination, isBranch: false },
      });
      const before = to({ kind: "original", atom: original, offset: 0 });
      const after = { ...to({ kind: "piece", atom: patched, offset: 0 }), copied: patched.end - patched.start };
      words.push({ atom: running, offset, size: WORD, before, after });
    }
  }
  return words;
}

function wordsBetween(patched: Atom, pairing: Pairing, lead: Lead): SelectedWord[] | undefined {
  const original = pairing.originalOf.get(patched);
  if (original === undefined || original.anonymous || patched.anonymous) return undefined;
  const size = original.end - original.start;
  if (size !== patched.end - patched.start || original.kind !== patched.kind) return undefined;
  const before = original.data.length === size ? original.data : Buffer.alloc(size);
  const after = patched.data.length === size ? patched.data : Buffer.alloc(size);
  const words: SelectedWord[] = [];
  for (let offset = 0; offset < size; offset += WORD) {
    const end = Math.min(offset + WORD, size);
    const was = referencesIn(original, offset, end);
    const is = referencesIn(patched, offset, end);
    const isSame = before.compare(after, offset, end, offset, end) === 0 && isSameReference(was, is, pairing);
    if (isSame) continue;
    const { elf } = patched.section.arch;
    const running: Lead = (atom, at) => ({ kind: "original", atom, offset: at });
    const from = wordValue(was, { at: offset, bytes: before.subarray(offset, end) }, elf, running);
    const to = wordValue(is, { at: offset, bytes: after.subarray(offset, end) }, elf, lead);
    if (from === undefined || to === undefined) return undefined;
    words.push({ atom: original, offset, size: end - offset, before: from, after: to });
  }
  return words.length > 0 ? words : undefined;
}

/** Whether a word is the address of a function. */
export function leadsToFunction({ pointer }: WordValue): boolean {
  const destination = pointer?.destination;
  if (destination === undefined) return false;
  return destination.kind === "external" || ("atom" in destination && destination.atom.kind === "function");
}

/** NULL is one, too. */
function isPointer({ bytes, pointer }: WordValue): boolean {
  return bytes.length === WORD && (pointer !== undefined || bytes.every((byte) => byte === 0));
}

function referencesIn(atom: Atom, from: number, to: number): Reference[] {
  return atom.references.filter(({ offset }) => offset + WORD > from && offset < to);
}

function isSameReference(a: readonly Reference[], b: readonly Reference[], pairing: Pairing): boolean {
  if (a.length !== b.length) return false;
  return a.every((x, i) => {
    const y = b[i];
    if (y === undefined || x.offset !== y.offset || x.type !== y.type || x.target.kind !== y.target.kind) return false;
    if (x.target.kind === "absolute") return y.target.kind === "absolute" && x.target.value === y.target.value;
    if (y.target.kind === "absolute" || x.target.offset !== y.target.offset) return false;
    if (x.target.kind === "atom")
      return y.target.kind === "atom" && pairing.originalOf.get(y.target.atom) === x.target.atom;
    if (x.target.kind === "literal")
      return y.target.kind === "literal" && x.target.literal.bytes === y.target.literal.bytes;
    if (x.target.kind === "entry") return false;
    return y.target.kind === "external" && x.target.name === y.target.name;
  });
}

function wordValue(
  references: readonly Reference[],
  { at, bytes }: { readonly at: number; readonly bytes: Buffer },
  { relocations }: ElfAbi,
  lead: Lead,
): WordValue | undefined {
  const [reference] = references;
  if (reference === undefined) return { bytes };
  const { offset, type, target, adjust } = reference;
  if (references.length > 1 || offset !== at || type !== relocations.pointer || bytes.length !== WORD) return undefined;
  const pointer = (destination: Destination): WordValue => ({
    bytes,
    pointer: { offset: 0, type, adjust, destination, isBranch: false },
  });
  if (target.kind === "external") return target.weak ? undefined : pointer(target);
  if (target.kind !== "atom" || target.atom.anonymous) return undefined;
  if (target.atom.kind === "function" && target.offset !== entryOffset(target.atom)) return undefined;
  const destination = lead(target.atom, target.offset);
  return destination === undefined ? undefined : pointer(destination);
}
