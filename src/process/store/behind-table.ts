/** The table of thread pointers that stubs look tasks up in: those in it are behind. */
import { SutureError } from "../../lib/error.ts";
import { native, nativeHook } from "../os/native.ts";
import { MAX_TABLE_BITS, MIN_TABLE_BITS, TABLE_OVERFLOW } from "./control-layout.ts";

const ENTRY = 8;
/** A place that was taken and is no task's any more; no thread pointer ends in it, since they are multiples of 8. */
const TOMBSTONE = 1;

/** The whole table as it is written: 2^bits places, and those behind them. */
export interface TableImage {
  readonly bits: number;
  readonly bytes: Buffer;
  /** Offset of each thread pointer's entry. */
  readonly offsets: ReadonlyMap<number, number>;
}

/**
 * A table with at most a quarter of its places taken, as long as that is possible.
 * Throws `TOO_MANY_TASKS` beyond what a table can hold.
 */
export function buildTable(threadPointers: readonly number[]): TableImage {
  const { words } = native();
  let bits = MIN_TABLE_BITS;
  while (bits < MAX_TABLE_BITS && 2 ** bits < 4 * threadPointers.length) bits++;
  const bytes = Buffer.alloc((2 ** bits + TABLE_OVERFLOW) * ENTRY);
  const offsets = new Map<number, number>();
  if (threadPointers.length > 2 ** (bits - 1)) throw tooMany(threadPointers.length);
  for (const pointer of threadPointers) {
    const value = BigInt(pointer);
    let offset = nativeHook().hashPlace(value, bits) * ENTRY;
    // The last entry stays empty: it ends every search.
    const last = bytes.length - ENTRY;
    while (offset < last && words.u64(bytes, offset) !== 0n) offset += ENTRY;
    if (offset >= last) throw tooMany(threadPointers.length);
    words.setU64(bytes, offset, value);
    offsets.set(pointer, offset);
  }
  return { bits, bytes, offsets };
}

/** How many bytes of the control mapping a table of so many places takes. */
export function tableSize(bits: number): number {
  return (2 ** bits + TABLE_OVERFLOW) * ENTRY;
}

/** What takes an entry out: one byte, written to the entry's offset. */
export const TAKE_OUT = Buffer.from([TOMBSTONE]);

/** The thread pointers that are still in a table, with the offsets of their entries. */
export function readTable(bytes: Buffer): Map<number, number> {
  const { words } = native();
  const offsets = new Map<number, number>();
  for (let offset = 0; offset + ENTRY <= bytes.length; offset += ENTRY) {
    const value = words.u64(bytes, offset);
    if (value !== 0n && (value & 0xffn) !== BigInt(TOMBSTONE)) offsets.set(Number(value), offset);
  }
  return offsets;
}

function tooMany(count: number): SutureError {
  return new SutureError("TOO_MANY_TASKS", `the process has ${count} threads, more than can be told apart at entries`, {
    hint: "load it with --consistency stop",
  });
}
