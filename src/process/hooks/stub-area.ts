/**
 * Memory of the process for stubs and trampolines. Trampolines stay as long as
 * the area does and grow down from its end. Stubs are given out in batches, one a
 * change, one behind the other; before the same memory is given out again, it has
 * to be proved that no stack refers to it.
 */
import type { CodeRange } from "../../core/machine.ts";
import { type OtherKeys, otherKeys } from "../../lib/format.ts";
import { nativeHook } from "../os/native.ts";
import { type AreaRecord, areaSchema } from "../store/record-schema.ts";

const TRAMPOLINE_ALIGN = 16;

/** One mapping of executable memory near an object. It keeps account of what is given out, and writes nothing there. */
export class StubArea {
  readonly start: number;
  readonly end: number;
  #cursor: number;
  #floor: number;
  /** What was in use when the memory was last proved free of everything else. */
  #blocked: readonly CodeRange[];

  /** Of the record that it was read from. */
  readonly #others: OtherKeys;

  constructor(record: AreaRecord) {
    const { start, end, cursor, floor, blocked } = record;
    this.start = start;
    this.end = end;
    this.#cursor = cursor;
    this.#floor = floor;
    this.#blocked = blocked;
    this.#others = otherKeys(areaSchema, record);
  }

  static fresh({ start, end }: CodeRange): StubArea {
    return new StubArea({ start, end, cursor: start, floor: end - nativeHook().trapHandler.size, blocked: [] });
  }

  /** Where the handler lies for tasks that are watched. */
  get trapHandler(): number {
    return this.end - nativeHook().trapHandler.size;
  }

  get record(): AreaRecord {
    return {
      ...this.#others,
      start: this.start,
      end: this.end,
      cursor: this.#cursor,
      floor: this.#floor,
      blocked: [...this.#blocked],
    };
  }

  /** Where stubs may lie. */
  get stubs(): CodeRange {
    return { start: this.start, end: this.#floor };
  }

  has(address: number): boolean {
    return address >= this.start && address < this.end;
  }

  /** Room for a trampoline; undefined where there is none. It is never given back. */
  takeTrampoline(size: number): number | undefined {
    const start = Math.floor((this.#floor - size) / TRAMPOLINE_ALIGN) * TRAMPOLINE_ALIGN;
    if (start < this.#cursor || this.#blocked.some(({ end }) => start < end)) return undefined;
    // At least half of an area is for stubs.
    if (start < this.start + (this.end - this.start) / 2) return undefined;
    this.#floor = start;
    return start;
  }

  /** Room for a batch of so many stubs behind the last one; undefined where the end is reached. */
  takeStubs(count: number): number | undefined {
    const size = count * nativeHook().stubSize;
    let start = this.#cursor;
    for (const range of this.#blocked) {
      if (start < range.end && start + size > range.start) start = range.end;
    }
    if (start + size > this.#floor) return undefined;
    this.#cursor = start + size;
    return start;
  }

  /** Starts again from the area's start. To be called once no stack refers to any stub but those in use. */
  reuse(inUse: readonly CodeRange[]): void {
    this.#cursor = this.start;
    this.#blocked = inUse.filter(({ start }) => this.has(start)).toSorted((a, b) => a.start - b.start);
  }

  /** Takes back what was given out since: nothing was written there. */
  rewind({ cursor, blocked }: AreaRecord): void {
    this.#cursor = cursor;
    this.#blocked = blocked;
  }
}
