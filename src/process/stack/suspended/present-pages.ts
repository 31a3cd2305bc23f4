/**
 * Which pages of a process are in memory or in swap. Where the kernel goes through
 * its page tables for that (PAGEMAP_SCAN, Linux 6.7), terabytes that are reserved
 * and not used, as by sanitizers, cost nothing. Source: Documentation/admin-guide/mm/pagemap.rst.
 */
import { libc } from "../../os/libc.ts";

/** Half-open. */
export interface PageRun {
  readonly start: number;
  readonly end: number;
}

/** _IOWR('f', 16, struct pm_scan_arg) */
const PAGEMAP_SCAN = 0xc060_6610;
/** struct pm_scan_arg: words of 64 bits, by their numbers. */
const ARGUMENT_WORDS = 12;
const AT = { SIZE: 0, START: 2, END: 3, WALK_END: 4, VEC: 5, VEC_LENGTH: 6, ANY_OF: 10, RETURN: 11 } as const;
/** PAGE_IS_PRESENT, PAGE_IS_SWAPPED */
const THERE = 0x18n;
/** struct page_region: start, end, categories. */
const REGION_WORDS = 3;
const REGIONS = 1024;

/** Asks for many runs at a time; made once for each look. */
export class PresentPages {
  readonly #fd: number;
  readonly #argument = new BigUint64Array(ARGUMENT_WORDS);
  readonly #regions = new BigUint64Array(REGIONS * REGION_WORDS);

  /** @param fd of /proc/PID/pagemap */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The first runs of the memory, and up to where that is all; undefined where the kernel does not tell. */
  next({ start, end }: PageRun): { readonly runs: readonly PageRun[]; readonly upTo: number } | undefined {
    const { addressOf, ioctl } = libc();
    const argument = this.#argument.fill(0n);
    const regions = this.#regions;
    argument[AT.SIZE] = BigInt(argument.byteLength);
    argument[AT.START] = BigInt(start);
    argument[AT.END] = BigInt(end);
    argument[AT.VEC] = addressOf(Buffer.from(regions.buffer));
    argument[AT.VEC_LENGTH] = BigInt(REGIONS);
    argument[AT.ANY_OF] = THERE;
    argument[AT.RETURN] = THERE;
    const count = ioctl(this.#fd, PAGEMAP_SCAN, Number(addressOf(Buffer.from(argument.buffer))));
    const upTo = Number(argument[AT.WALK_END]);
    if (count < 0 || count > REGIONS || !(upTo > start && upTo <= end)) return undefined;
    const runs = Array.from({ length: count }, (_, i) => ({
      start: Number(regions[i * REGION_WORDS]),
      end: Number(regions[i * REGION_WORDS + 1]),
    }));
    return { runs, upTo };
  }
}
