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
/** Twelve words of 64 bits. */
const ARGUMENT = 96;
const AT = { SIZE: 0, START: 16, END: 24, WALK_END: 32, VEC: 40, VEC_LENGTH: 48, ANY_OF: 80, RETURN: 88 } as const;
/** PAGE_IS_PRESENT, PAGE_IS_SWAPPED */
const THERE = 0x18n;
/** struct page_region: start, end, categories. */
const REGION = 24;
const REGIONS = 1024;

/** Asks for many runs at a time; made once for each look. */
export class PresentPages {
  readonly #fd: number;
  readonly #argument = Buffer.alloc(ARGUMENT);
  readonly #regions = Buffer.alloc(REGIONS * REGION);

  /** @param fd of /proc/PID/pagemap */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The first runs of the memory, and up to where that is all; undefined where the kernel does not tell. */
  next({ start, end }: PageRun): { readonly runs: readonly PageRun[]; readonly upTo: number } | undefined {
    const { addressOf, ioctl } = libc();
    const argument = this.#argument.fill(0);
    const put = (at: number, value: bigint): void => void argument.writeBigUInt64LE(value, at);
    put(AT.SIZE, BigInt(ARGUMENT));
    put(AT.START, BigInt(start));
    put(AT.END, BigInt(end));
    put(AT.VEC, addressOf(this.#regions));
    put(AT.VEC_LENGTH, BigInt(REGIONS));
    put(AT.ANY_OF, THERE);
    put(AT.RETURN, THERE);
    const count = ioctl(this.#fd, PAGEMAP_SCAN, Number(addressOf(argument)));
    const upTo = Number(argument.readBigUInt64LE(AT.WALK_END));
    if (count < 0 || count > REGIONS || !(upTo > start && upTo <= end)) return undefined;
    const runs = Array.from({ length: count }, (_, i) => ({
      start: Number(this.#regions.readBigUInt64LE(i * REGION)),
      end: Number(this.#regions.readBigUInt64LE(i * REGION + 8)),
    }));
    return { runs, upTo };
  }
}
