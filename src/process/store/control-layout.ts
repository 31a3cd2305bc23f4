/**
 * The control mapping: private anonymous memory that the process itself only ever
 * reads (its stubs do), in which everything durable lies. A forked child has it too.
 *
 * Its first page is the header; two tables of tasks that are behind follow, then
 * two slots for records. Which of each pair counts is told by one byte, the
 * generation, so that a change happens by the write of that byte.
 */
import { PAGE } from "../os/native.ts";

/** Of this layout. Every one that will be is of the same size, and begins with the same seven bytes and its version. */
export const LAYOUT_VERSION = 1;
/** The first bytes of a control mapping; the last of them is the version of its layout. */
export const MAGIC = Buffer.from(`suture\0${String.fromCharCode(LAYOUT_VERSION)}`, "latin1");

/** Offsets in the header. The generation has a cache line of its own. */
const HEADER = { handlerSet: 16, generation: 64 } as const;

/** Places of a table are at most 2^14; the search for a thread pointer starts in one of them. */
export const MAX_TABLE_BITS = 14;
/** A table has 2^6 places at least. */
export const MIN_TABLE_BITS = 6;
/** Entries behind the last place, for what collides there; the last of them stays 0. */
export const TABLE_OVERFLOW = 512;
const ENTRY = 8;

const TABLE_SIZE = (2 ** MAX_TABLE_BITS + TABLE_OVERFLOW) * ENTRY;
/** Bytes of one slot for a record. */
export const SLOT_SIZE = 1 << 20;

const TABLES = PAGE;
const SLOTS = TABLES + 2 * TABLE_SIZE;

/** No program asks for just so much: a look at the sizes in /proc/PID/maps finds it. */
export const CONTROL_SIZE = SLOTS + 2 * SLOT_SIZE + PAGE;

/** Which of a pair, of tables or of slots. */
export type Parity = 0 | 1;

/** The slot that the record of a change with this number lies in. */
export function parityOf(number: number): Parity {
  return (number & 1) as Parity;
}

/** Addresses of the parts of a control mapping. */
export class ControlLayout {
  readonly start: number;

  constructor(start: number) {
    this.start = start;
  }

  get end(): number {
    return this.start + CONTROL_SIZE;
  }

  get generation(): number {
    return this.start + HEADER.generation;
  }

  /** A byte that says whether the process has our handler for the signal of stop points. */
  get handlerSet(): number {
    return this.start + HEADER.handlerSet;
  }

  table(which: Parity): number {
    return this.start + TABLES + which * TABLE_SIZE;
  }

  slot(which: Parity): number {
    return this.start + SLOTS + which * SLOT_SIZE;
  }
}
