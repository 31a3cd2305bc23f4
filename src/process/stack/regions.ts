import type { Section } from "../../dwarf/cursor.ts";
import { scannedTable } from "../../dwarf/frame-table.ts";
import { nativeWords } from "../os/native.ts";
import { RowCache } from "./row-cache.ts";

/**
 * Code that we brought into the process. Half-open addresses; regions do not overlap.
 */
export type Region =
  /** Described by an .eh_frame at this address, whose relocations are applied. */
  | { readonly kind: "code"; readonly start: number; readonly end: number; readonly rows: RowCache }
  /** Leaves the stack alone: the return address is on its top. */
  | { readonly kind: "stub"; readonly start: number; readonly end: number }
  /** Stands for other code, instruction by instruction. */
  | { readonly kind: "trampoline"; readonly start: number; readonly end: number; original(ip: number): number };

/**
 * Code from `start` to `end` with the .eh_frame that lies at `address` in the
 * process. Throws DWARF_CORRUPT or DWARF_UNSUPPORTED where it is damaged.
 */
export function codeRegion(start: number, end: number, ehFrame: { data: Buffer; address: number }): Region {
  const section: Section = { name: "the patch's .eh_frame", words: nativeWords(), ...ehFrame };
  return { kind: "code", start, end, rows: new RowCache(scannedTable(section)) };
}
