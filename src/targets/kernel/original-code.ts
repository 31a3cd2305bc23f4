/** What a patched function should be in the running kernel's memory, and where it is not. */
import type { Words } from "../../elf/words.ts";
import type { CodeField, OriginalRecord } from "../../patch/metadata.ts";

/** What is known of the running kernel by now. */
export interface Places {
  /** Whether this kernel counts calls, and has rewritten them for that. */
  readonly countsCalls: boolean;
  /** Where the kernel begins. */
  readonly start: bigint;
  /** Where a section of the function's module lies. */
  section(name: string): bigint | undefined;
  /** Every address of this name. */
  symbol(name: string): readonly bigint[];
}

/** Bytes that are not as they should be: all of a row. */
export interface Difference {
  readonly at: number;
  readonly found: Buffer;
  readonly wanted: Buffer;
}

/** @returns the first difference of each row of differing bytes, and how many bytes are others that may be so, or are not known */
export function compareOriginal(
  { original, address, found }: { readonly original: OriginalRecord; readonly address: bigint; readonly found: Buffer },
  places: Places,
  words: Words,
): { readonly differences: readonly Difference[]; readonly open: number } {
  const wanted = Buffer.from(original.code, "base64");
  const isOpen = new Uint8Array(wanted.length);
  const { rewritten, counted = [] } = original;
  for (const [at, length] of [...rewritten, ...(places.countsCalls ? counted : [])]) isOpen.fill(1, at, at + length);
  for (const field of original.fields) {
    const { at, size } = field;
    if (at + size > wanted.length) continue;
    const values = valuesOf(field, { wanted, words, places, address });
    const here = numberAt(words, found.subarray(at, at + size));
    const [first] = values;
    if (first === undefined) isOpen.fill(1, at, at + size);
    else writeNumber(words, wanted.subarray(at, at + size), values.includes(here) ? here : first);
  }
  const differences: Difference[] = [];
  for (let i = 0; i < wanted.length; i++) {
    if (isOpen[i] === 1 || found[i] === wanted[i]) continue;
    let end = i + 1;
    while (end < wanted.length && isOpen[end] === 0 && found[end] !== wanted[end]) end++;
    differences.push({ at: i, found: found.subarray(i, end), wanted: wanted.subarray(i, end) });
    i = end;
  }
  let open = 0;
  for (let i = 0; i < wanted.length; i++) if (isOpen[i] === 1 && found[i] !== wanted[i]) open++;
  return { differences, open };
}

interface Here {
  readonly wanted: Buffer;
  readonly words: Words;
  readonly places: Places;
  readonly address: bigint;
}

/** What a field may be, cut to its size; nothing where its symbol has no place that is known. */
function valuesOf(field: CodeField, { wanted, words, places, address }: Here): bigint[] {
  const cut = (value: bigint) => BigInt.asUintN(8 * field.size, value);
  if ("moves" in field) {
    const linked = numberAt(words, wanted.subarray(field.at, field.at + field.size));
    return [cut(field.moves === "with" ? linked + places.start : linked - places.start)];
  }
  const base = field.section === undefined ? undefined : places.section(field.section);
  const targets = field.symbol === undefined ? (base === undefined ? [] : [base]) : places.symbol(field.symbol);
  const from = field.isRelative ? address + BigInt(field.at) : 0n;
  return targets.map((target) => cut(target + BigInt(field.addend) - from));
}

function numberAt(words: Words, field: Buffer): bigint {
  return field.length === 8 ? words.u64(field, 0) : BigInt(words.u32(field, 0));
}

function writeNumber(words: Words, field: Buffer, value: bigint): void {
  if (field.length === 8) words.setU64(field, 0, value);
  else words.setU32(field, 0, Number(value));
}
