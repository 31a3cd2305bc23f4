/**
 * Whether a running constant can be overwritten by the patched one, while the
 * machine stands still: same size, and nothing in what changes that would point
 * into the livepatch, which can be unloaded. A variable cannot: what the kernel
 * has made of its value since is not known.
 */
import { R_X86_64 } from "../arch/x86_64/relocations.ts";
import type { Pairing } from "./correlate.ts";
import type { SelectedReference, SelectedWord, WordValue } from "./selection.ts";
import { type Atom, entryOffset, type Reference } from "./unit.ts";

const WORD = 8;

/**
 * The words of the patched atom that differ from its twin's; undefined where
 * it cannot be written in place.
 */
export function differingWords(patched: Atom, pairing: Pairing): SelectedWord[] | undefined {
  const original = pairing.originalOf.get(patched);
  if (original === undefined || !isWritable(original) || !isWritable(patched)) return undefined;
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
    const from = wordValue(was, before.subarray(offset, end), offset, (atom) => atom);
    const to = wordValue(is, after.subarray(offset, end), offset, (atom) => pairing.originalOf.get(atom));
    if (from === undefined || to === undefined) return undefined;
    words.push({ atom: original, offset, size: end - offset, before: from, after: to });
  }
  return words.length > 0 ? words : undefined;
}

/** A named piece of the running object that exists once. */
function isWritable({ section, anonymous, kind }: Atom): boolean {
  return !anonymous && kind === "constant" && section.role === "constant";
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
    return y.target.kind === "external" && x.target.name === y.target.name;
  });
}

/** @param running what the running object has of an atom */
function wordValue(
  references: readonly Reference[],
  bytes: Buffer,
  at: number,
  running: (atom: Atom) => Atom | undefined,
): WordValue | undefined {
  const [reference] = references;
  if (reference === undefined) return { bytes };
  const { offset, type, target, adjust } = reference;
  if (references.length > 1 || offset !== at || type !== R_X86_64[64] || bytes.length !== WORD) return undefined;
  const pointer = (destination: SelectedReference["destination"]): WordValue => ({
    bytes,
    pointer: { offset: 0, type, adjust, destination, isBranch: false },
  });
  if (target.kind === "external") return target.weak ? undefined : pointer(target);
  if (target.kind !== "atom") return undefined;
  const atom = running(target.atom);
  if (atom === undefined || atom.anonymous) return undefined;
  if (atom.kind === "function" && target.offset !== entryOffset(target.atom)) return undefined;
  return pointer({ kind: "original", atom, offset: target.offset });
}
