/** Looks through the memory of a process for words that may be addresses of its code. */
import { closeSync, openSync } from "node:fs";
import { PAGE } from "../../os/native.ts";
import { pread } from "../../os/pread.ts";
import { PresentPages } from "./present-pages.ts";

/** Half-open. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** Reads into the buffer; how many bytes, or less than 1 where nothing can be read there. */
export type ReadInto = (address: number, into: Buffer, size: number) => number;

/** Told of each word as it is found, in the order of addresses. */
export interface WordFound {
  /** A word whose value lies in one of the ranges that are looked for. */
  code(at: number, value: number): void;
  /** A word that is its own address; `isTwice`: two words further it is there again. */
  self(at: number, isTwice: boolean): void;
}

const PIECE = 1 << 20;
const ENTRY = 8;
const HIGH = 2 ** 32;
/** Bits 63 and 62 of an entry of /proc/PID/pagemap: the page is in memory, or in swap. */
const THERE = 3n << 62n;

/** An arithmetic that stays below 2^53: user space ends at 2^47. */
export class MemoryWords implements Disposable {
  readonly #read: ReadInto;
  readonly #pagemap: number | undefined;
  readonly #pages: PresentPages | undefined;
  readonly #piece = Buffer.from(new ArrayBuffer(PIECE));
  readonly #words = new Uint32Array(this.#piece.buffer);
  readonly #entries = Buffer.from(new ArrayBuffer((PIECE / PAGE) * ENTRY));
  readonly #flags = new BigUint64Array(this.#entries.buffer);

  /** @param directory of the process below /proc */
  constructor(directory: string, read: ReadInto) {
    this.#read = read;
    this.#pagemap = opened(`${directory}/pagemap`);
    this.#pages = this.#pagemap === undefined ? undefined : new PresentPages(this.#pagemap);
  }

  [Symbol.dispose](): void {
    if (this.#pagemap !== undefined) closeSync(this.#pagemap);
  }

  /**
   * Goes through whole pages of memory; pages that the process never touched are not
   * touched either.
   *
   * @param wanted sorted, apart from each other
   * @param attend called between pieces of some hundred microseconds
   */
  search(memory: Range, wanted: readonly Range[], found: WordFound, attend: () => void = () => {}): void {
    for (const run of this.#present(memory)) {
      if (run.start === run.end) attend();
      for (let start = run.start; start < run.end; start += PIECE) {
        const end = Math.min(run.end, start + PIECE);
        this.#searchPiece(start, end, wanted, found);
        attend();
      }
    }
  }

  /** The pages that are there, in order; an empty run stands for a piece in which none is. */
  *#present({ start, end }: Range): Generator<Range> {
    for (let at = start; at < end; ) {
      const next = this.#pages?.next({ start: at, end });
      if (next === undefined) {
        yield* this.#touchedPieces(at, end);
        return;
      }
      yield* next.runs;
      at = next.upTo;
    }
  }

  *#touchedPieces(from: number, to: number): Generator<Range> {
    for (let start = from; start < to; start += PIECE) {
      const runs = this.#touched(start, Math.min(to, start + PIECE));
      yield* runs.length === 0 ? [{ start, end: start }] : runs;
    }
  }

  #touched(start: number, end: number): Range[] {
    const pages = (end - start) / PAGE;
    if (this.#pagemap === undefined) return [{ start, end }];
    const count = pread(this.#pagemap, this.#entries, pages * ENTRY, (start / PAGE) * ENTRY);
    // Where it does not tell, all counts.
    if (count !== pages * ENTRY) return [{ start, end }];
    const runs: { start: number; end: number }[] = [];
    for (let page = 0; page < pages; page++) {
      if (((this.#flags[page] as bigint) & THERE) === 0n) continue;
      const at = start + page * PAGE;
      const last = runs.at(-1);
      if (last?.end === at) last.end = at + PAGE;
      else runs.push({ start: at, end: at + PAGE });
    }
    return runs;
  }

  #searchPiece(start: number, end: number, wanted: readonly Range[], found: WordFound): void {
    const size = this.#read(start, this.#piece, end - start);
    const words = this.#words;
    const highs = [...new Set(wanted.flatMap((range) => [upper(range.start), upper(range.end - 1)]))];
    const [first = -1, second = -1] = highs;
    const more = highs.length > 2 ? new Set(highs) : undefined;
    const ownHigh = upper(start);
    const count = Math.max(0, size) >> 2;
    for (let index = 0; index + 1 < count; index += 2) {
      const high = words[index + 1] as number;
      if (high !== first && high !== second && high !== ownHigh && more?.has(high) !== true) continue;
      const value = high * HIGH + (words[index] as number);
      const at = start + index * 4;
      if (value === at) found.self(at, words[index + 4] === words[index] && words[index + 5] === high);
      else if (isIn(wanted, value)) found.code(at, value);
    }
  }
}

/** undefined where the kernel has none, or the process has ended. */
function opened(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch {
    return undefined;
  }
}

function upper(address: number): number {
  return Math.floor(address / HIGH);
}

/** By halving. */
function isIn(ranges: readonly Range[], address: number): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as Range).start <= address) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low - 1];
  return range !== undefined && address < range.end;
}
