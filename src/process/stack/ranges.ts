/** Half-open, and apart from each other. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** Whether an address is in one of a few. */
export function isIn(ranges: readonly Range[], address: number): boolean {
  return ranges.some(({ start, end }) => start <= address && address < end);
}

/** Finds the range of an address; the one that was found last is tried first. */
export class Ranges<T extends Range> {
  readonly all: readonly T[];
  #last: T | undefined;

  constructor(ranges: readonly T[]) {
    this.all = [...ranges].sort((a, b) => a.start - b.start);
    this.#last = this.all[0];
  }

  find(address: number): T | undefined {
    const last = this.#last;
    if (last !== undefined && last.start <= address && address < last.end) return last;
    const { all } = this;
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((all[middle] as T).start <= address) low = middle + 1;
      else high = middle;
    }
    const found = all[low - 1];
    if (found === undefined || address >= found.end) return undefined;
    this.#last = found;
    return found;
  }
}
