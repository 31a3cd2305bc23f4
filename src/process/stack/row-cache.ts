import type { Fde } from "../../dwarf/entries.ts";
import type { FrameTable } from "../../dwarf/frame-table.ts";
import { type Row, rowAt, rowsOf } from "../../dwarf/rows.ts";
import { SutureError } from "../../lib/error.ts";
import { nativeUnwind } from "../os/native.ts";
import { type FrameRow, frameRow, problemRow } from "./frame-row.ts";

const FIRST_CAPACITY = 256;

/**
 * The rows of an image by address, each compiled once: an open-addressing table,
 * since a look-up lies on the path of every frame of every stack.
 */
export class RowCache {
  readonly #table: FrameTable;
  /** Rows of functions that were asked for, by the offset of the FDE. */
  readonly #functions = new Map<number, { fde: Fde; rows: readonly Row[]; compiled: (FrameRow | undefined)[] }>();
  #keys = new Float64Array(FIRST_CAPACITY).fill(-1);
  #rows: (FrameRow | undefined)[] = new Array(FIRST_CAPACITY).fill(undefined);
  #count = 0;

  constructor(table: FrameTable) {
    this.#table = table;
  }

  /** The row of an address, in the table's addresses; undefined where nothing covers it. */
  at(address: number): FrameRow | undefined {
    const keys = this.#keys;
    const mask = keys.length - 1;
    for (let slot = slotOf(address, mask); ; slot = (slot + 1) & mask) {
      const key = keys[slot];
      if (key === address) return this.#rows[slot];
      if (key === -1) return this.#add(address);
    }
  }

  /** The function that covers an address, as far as one is described; in the table's addresses. */
  functionAt(address: number): { readonly start: number; readonly end: number } | undefined {
    try {
      return this.#table.find(address);
    } catch (error) {
      if (error instanceof SutureError) return undefined;
      throw error;
    }
  }

  /** Computes rows of one function after another until that time (of `performance.now`). */
  warmUp(until: number): void {
    for (const start of this.#table.starts()) {
      if (performance.now() > until) return;
      this.at(start);
    }
  }

  #add(address: number): FrameRow | undefined {
    const row = this.#compiled(address);
    if (2 * ++this.#count > this.#keys.length) this.#grow();
    this.#put(address, row);
    return row;
  }

  #put(address: number, row: FrameRow | undefined): void {
    const mask = this.#keys.length - 1;
    let slot = slotOf(address, mask);
    while (this.#keys[slot] !== -1) slot = (slot + 1) & mask;
    this.#keys[slot] = address;
    this.#rows[slot] = row;
  }

  #grow(): void {
    const keys = this.#keys;
    const rows = this.#rows;
    this.#keys = new Float64Array(2 * keys.length).fill(-1);
    this.#rows = new Array(2 * keys.length).fill(undefined);
    for (const [slot, key] of keys.entries()) if (key !== -1) this.#put(key, rows[slot]);
  }

  #compiled(address: number): FrameRow | undefined {
    try {
      const fde = this.#table.find(address);
      if (fde === undefined) return undefined;
      let known = this.#functions.get(fde.offset);
      if (known === undefined) {
        const rows = rowsOf(fde, nativeUnwind().columns);
        known = { fde, rows, compiled: new Array(rows.length).fill(undefined) };
        this.#functions.set(fde.offset, known);
      }
      const row = rowAt(known.rows, address);
      if (row === undefined) return problemRow("its frame information starts behind it");
      const index = known.rows.indexOf(row);
      known.compiled[index] ??= frameRow(fde, row);
      return known.compiled[index];
    } catch (error) {
      if (error instanceof SutureError) return problemRow(error.message);
      throw error;
    }
  }
}

function slotOf(address: number, mask: number): number {
  const mixed = Math.imul(address | 0, 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) & mask;
}
