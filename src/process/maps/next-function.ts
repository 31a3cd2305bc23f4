/** How far the bytes behind a function are no one's, by the object's table of call-frame information as it lies in memory. */
import { readSearchTable } from "../../dwarf/search-table.ts";
import { PT } from "../../elf/constants.ts";
import { nativeWords } from "../os/native.ts";
import type { LoadedObject } from "./loaded-object.ts";
import { type ReadMemory, tried } from "./mapped-elf.ts";

const MAX_BYTES = 64 << 20;
/** Pairs of offsets from the table's own start, four bytes each: what linkers write. */
const USUAL_ENCODING = 0x3b;
const ENTRY_SIZE = 8;

/**
 * Address in the process where the next function after `address` starts;
 * undefined where the object does not say.
 */
export function nextFunction({ elf }: LoadedObject, address: number, read: ReadMemory): number | undefined {
  const segment = elf.segments.find(({ type }) => type === PT.GNU_EH_FRAME);
  if (segment === undefined || segment.memorySize > MAX_BYTES) return undefined;
  const start = elf.bias + segment.address;
  const words = nativeWords();
  return tried(() => {
    const data = read(start, segment.memorySize);
    const { count, first, encoding } = readSearchTable({ name: ".eh_frame_hdr", data, words, address: start });
    if (encoding !== USUAL_ENCODING) return undefined;
    const entry = (index: number): number => start + words.i32(data, first + index * ENTRY_SIZE);
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entry(middle) <= address) low = middle + 1;
      else high = middle;
    }
    return low < count ? entry(low) : undefined;
  });
}
