import type { Section } from "./cursor.ts";
import { allFdes, type Cies, type Fde, fdeAt } from "./entries.ts";
import type { Bases } from "./pointer.ts";
import { type SearchTable, searched, starts } from "./search-table.ts";

/** The call-frame information of an executable, a library or a piece of code. */
export interface FrameTable {
  /**
   * What covers this address; undefined where nothing does. Throws
   * DWARF_CORRUPT or DWARF_UNSUPPORTED for a damaged entry.
   */
  find(address: number): Fde | undefined;
  /** Of every function, an address in it. */
  starts(): Iterable<number>;
}

/** Looks up by .eh_frame_hdr: nothing is read but the entries that are asked for. */
export function tableWithSearch(ehFrame: Section, search: SearchTable, bases: Bases = {}): FrameTable {
  if (search.count === 0) return scannedTable(ehFrame, bases);
  const cies: Cies = new Map();
  return {
    find(address) {
      const entry = searched(search, address);
      if (entry === undefined) return undefined;
      const fde = fdeAt(ehFrame, entry - ehFrame.address, cies, bases);
      return covers(fde, address) ? fde : undefined;
    },
    starts: () => starts(search),
  };
}

/**
 * Reads all entries at once. Where the section is damaged, what comes before the
 * damage cannot be trusted to be all: throws DWARF_CORRUPT or DWARF_UNSUPPORTED.
 */
export function scannedTable(ehFrame: Section, bases: Bases = {}): FrameTable {
  const fdes = [...allFdes(ehFrame, new Map(), bases)].sort((a, b) => a.start - b.start);
  return {
    find(address) {
      let low = 0;
      let high = fdes.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((fdes[middle] as Fde).start <= address) low = middle + 1;
        else high = middle;
      }
      const fde = fdes[low - 1];
      return fde !== undefined && covers(fde, address) ? fde : undefined;
    },
    starts: () => fdes.map((fde) => fde.start),
  };
}

function covers(fde: Fde, address: number): boolean {
  return fde.start <= address && address < fde.end;
}
