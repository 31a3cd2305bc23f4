/**
 * What a shipped function is in the memory of the kernel that runs: its bytes, the places
 * that the kernel rewrites by its own tables, and the fields that depend on where things lie.
 */
import type { Arch } from "../../../arch/arch.ts";
import type { RewrittenTable } from "../../../arch/rewritten-table.ts";
import type { KernelLayouts } from "../../../btf/kernel-layouts.ts";
import type { CodeField, FuncRecord, MovedCodeField, OriginalRecord } from "../../../patch/metadata.ts";

/** Places from one to another, without that. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A shipped object whose running code can be told; places are those of `Shipped`. */
export interface RunningObject {
  readonly arch: Arch;
  readonly object: string;
  bytes(at: number, length: number): Buffer | undefined;
  /** Every place of a symbol of this name, in kallsyms order. */
  places(name: string): readonly number[];
  /** Bytes from a place to the next symbol, or to the end of its section; 0 where there is neither. */
  extentOf(at: number): number;
  /** The entries of a table, `size` bytes each, that name a place in the span, with that place. */
  entriesOf(table: RewrittenTable, size: number, span: Span): Iterable<{ readonly at: number; readonly entry: Buffer }>;
  /** In [from, to); undefined where the file does not tell. */
  fieldsIn(from: number, to: number): readonly CodeField[] | undefined;
  /** From where places are counted in what runs; undefined where sections lie each by itself. */
  readonly start: number | undefined;
}

/** No function of a kernel is as long: what is, has lost the names behind it. */
const MOST_BYTES = 1 << 18;

interface Place {
  readonly func: FuncRecord;
  readonly at: number;
  readonly length: number;
  readonly rewritten: [offset: number, length: number][];
  readonly counted: [offset: number, length: number][];
  hook: number | undefined;
}

/** The functions, each with what it is when it runs, as far as the object's file tells. */
export function withOriginals(
  funcs: readonly FuncRecord[],
  object: RunningObject | undefined,
  sizes: KernelLayouts["entrySizes"],
): FuncRecord[] {
  if (object?.arch.kernel.rewrites === undefined) return [...funcs];
  const places = funcs.map((func) => placeOf(func, object));
  const isKnown = noteRewritten(
    places.filter((place) => place !== undefined),
    object,
    sizes,
  );
  return funcs.map((func, i) => {
    const place = places[i];
    const original = place === undefined || !isKnown ? undefined : recordOf(place, object);
    return original === undefined ? func : { ...func, original };
  });
}

function placeOf(func: FuncRecord, object: RunningObject): Place | undefined {
  const at = object.places(func.name)[Math.max(0, func.sympos - 1)];
  if (at === undefined) return undefined;
  const length = object.extentOf(at);
  if (length === 0 || length > MOST_BYTES) return undefined;
  return { func, at, length, rewritten: [], counted: [], hook: undefined };
}

/** False where a table of this kernel is not understood. */
function noteRewritten(places: readonly Place[], object: RunningObject, sizes: KernelLayouts["entrySizes"]): boolean {
  const sorted = places.toSorted((a, b) => a.at - b.at);
  const to = places.reduce((end, { at, length }) => Math.max(end, at + length), -Infinity);
  const span: Span = { from: sorted[0]?.at ?? 0, to };
  for (const table of object.arch.kernel.rewrites ?? []) {
    const size = entrySize(table, sizes);
    for (const { at, entry } of object.entriesOf(table, size, span)) {
      // Of functions at one place, each.
      for (let i = lastAt(sorted, at); i >= 0; i--) {
        const place = sorted[i] as Place;
        if (place.at !== sorted[lastAt(sorted, at)]?.at || at >= place.at + place.length) break;
        const length = lengthOf(table, entry, { at, end: place.at + place.length }, object);
        if (length === undefined) return false;
        (table.isCounted === true ? place.counted : place.rewritten).push([at - place.at, length]);
        if (table.isHook === true) place.hook ??= at - place.at;
      }
    }
  }
  return true;
}

/** The last one that begins at an address or before it; -1 where there is none. */
function lastAt(sorted: readonly Place[], at: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as Place).at <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function entrySize({ entry }: RewrittenTable, sizes: KernelLayouts["entrySizes"]): number {
  return typeof entry === "number" ? entry : (sizes[entry.struct as keyof typeof sizes] ?? entry.fallback);
}

function lengthOf(
  { length }: RewrittenTable,
  entry: Buffer,
  { at, end }: { readonly at: number; readonly end: number },
  object: RunningObject,
): number | undefined {
  if (typeof length === "number") return length;
  if (length !== "instruction") {
    const byte = length.byteAt[entry.length];
    return byte === undefined ? undefined : entry[byte];
  }
  const code = object.bytes(at, Math.min(LONGEST_INSTRUCTION, end - at)) ?? Buffer.alloc(0);
  return object.arch.code.decode(code, 0)?.length;
}

const LONGEST_INSTRUCTION = 16;

function recordOf({ at, length, rewritten, counted, hook }: Place, object: RunningObject): OriginalRecord | undefined {
  const shipped = object.bytes(at, length);
  const fields = object.fieldsIn(at, at + length);
  if (shipped === undefined || fields === undefined) return undefined;
  const bytes = Buffer.from(shipped);
  for (const field of fields) if ("moves" in field) putAtZero(bytes, { ...field, at: field.at - at }, object);
  return {
    ...(object.start === undefined ? {} : { offset: at - object.start }),
    code: bytes.toString("base64"),
    ...(hook === undefined ? {} : { hook }),
    rewritten: joined(rewritten),
    ...(counted.length === 0 ? {} : { counted: joined(counted) }),
    fields: fields.map((field) => ({ ...field, at: field.at - at })),
  };
}

/** What the field would be in a kernel that begins at address 0. */
function putAtZero(bytes: Buffer, { at, size, moves }: MovedCodeField, { arch, start = 0 }: RunningObject): void {
  const { words } = arch.elf;
  if (at < 0 || at + size > bytes.length) return;
  const moved = BigInt(moves === "with" ? -start : start);
  if (size === 8) words.setU64(bytes, at, BigInt.asUintN(64, words.u64(bytes, at) + moved));
  else words.setU32(bytes, at, Number(BigInt.asUintN(32, BigInt(words.u32(bytes, at)) + moved)));
}

/** Ascending, and none that lies in another. */
function joined(ranges: readonly (readonly [number, number])[]): [number, number][] {
  const all: [number, number][] = [];
  for (const [at, length] of ranges.toSorted(([a], [b]) => a - b)) {
    const last = all.at(-1);
    if (last !== undefined && at <= last[0] + last[1]) last[1] = Math.max(last[1], at + length - last[0]);
    else all.push([at, length]);
  }
  return all;
}
