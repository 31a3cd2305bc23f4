/** The code that holds a task in the universe it is in: an index of address ranges, and the search of a stack in it. */
import type { CodeRange, Frame, Stack } from "./machine.ts";
import type { Plan } from "./view.ts";

/** Whose code it is: a site's version, or all the rest of a patch (no site). */
export interface HeldBy {
  readonly site: string | undefined;
  /** undefined: the original. */
  readonly patch: string | undefined;
}

interface Piece extends CodeRange {
  readonly by: HeldBy;
}

/** Made before a stop, so that the stop only searches. */
export class HeldCode {
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  readonly #holders: readonly HeldBy[];

  constructor(plan: Plan) {
    const pieces: Piece[] = [];
    for (const { site, old } of plan.sites)
      for (const { start, end } of old.code.ranges)
        pieces.push({ start, end, by: { site: site.id, patch: old.patch } });
    // After the versions of sites that lie inside of it: a function's name says more.
    for (const { patch, ranges } of plan.left)
      for (const { start, end } of ranges) pieces.push({ start, end, by: { site: undefined, patch } });
    const flat = flatten(pieces);
    this.#starts = Float64Array.from(flat, (piece) => piece.start);
    this.#ends = Float64Array.from(flat, (piece) => piece.end);
    this.#holders = flat.map((piece) => piece.by);
  }

  get ranges(): CodeRange[] {
    return [...this.#starts].map((start, index) => ({ start, end: this.#ends[index] as number }));
  }

  get isEmpty(): boolean {
    return this.#starts.length === 0;
  }

  /** Position of the outermost frame of a stack that runs in this code; -1 where none does. */
  outermost(stack: Stack): number {
    const { frames } = stack;
    for (let index = frames.length - 1; index >= 0; index--)
      if (this.#find(addressOf(frames[index] as Frame)) >= 0) return index;
    return -1;
  }

  holderOf(frame: Frame): HeldBy | undefined {
    return this.#holders[this.#find(addressOf(frame))];
  }

  /** Whose code the first of these addresses is in that is in any; it is not known whether they are returned to. */
  firstAround(addresses: readonly number[]): HeldBy | undefined {
    for (const address of addresses) {
      const index = Math.max(this.#find(address), this.#find(address - 1));
      if (index >= 0) return this.#holders[index];
    }
    return undefined;
  }

  /** Index of the range that holds an address, by halving; -1 where there is none. */
  #find(address: number): number {
    const starts = this.#starts;
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] as number) <= address) low = middle + 1;
      else high = middle;
    }
    return low > 0 && address < (this.#ends[low - 1] as number) ? low - 1 : -1;
  }
}

/** A call can be a function's last instruction, so that it returns to where the next function starts. */
function addressOf(frame: Frame): number {
  return frame.isReturn ? frame.ip - 1 : frame.ip;
}

/** Ranges that do not overlap, in order of address; where some did, the one given first has the common part. */
function flatten(pieces: readonly Piece[]): Piece[] {
  const flat: Piece[] = [];
  for (const piece of pieces) {
    let rest = [piece];
    for (const taken of flat) rest = rest.flatMap((each) => without(each, taken));
    flat.push(...rest);
  }
  return flat.sort((one, other) => one.start - other.start);
}

function without(piece: Piece, taken: CodeRange): Piece[] {
  if (piece.end <= taken.start || piece.start >= taken.end) return [piece];
  const parts = [
    { ...piece, end: taken.start },
    { ...piece, start: taken.end },
  ];
  return parts.filter((part) => part.start < part.end);
}
