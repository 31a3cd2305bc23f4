import type { ElfFile } from "./model.ts";
import type { Range } from "./ranges.ts";

/** Where everything lies in the file, bytes. */
export interface Layout {
  /** One for each section, without the null section. */
  readonly offsets: readonly number[];
  readonly programHeaders: number;
  readonly sectionHeaders: number;
  readonly size: number;
  /** The file whose bytes stay where nothing is written over them. */
  readonly under: ElfFile | undefined;
  /** Parts of `under` that are no longer in use, which become zeros. */
  readonly freed: readonly Range[];
}

/** Loaders go by address: in the file, a page is as much alignment as anything needs. */
const MOST_ALIGNMENT = 4096;

/** The next offset in the file at which a section of this alignment may begin. */
export function aligned(at: number, alignment: number): number {
  const step = Math.min(Math.max(alignment, 1), MOST_ALIGNMENT);
  return Math.ceil(at / step) * step;
}
