/** The tables by which a kernel finds the places in its own code that it rewrites, at boot and while it runs. */
import type { SpecialSection } from "./special-section.ts";

/** One table, of an image that is linked and of a module. A place stands at the start of each entry. */
export interface RewrittenTable {
  /** The section's name, or how the names of several begin. */
  readonly section: string;
  readonly isPrefix?: true;
  /** Symbols of vmlinux between which the table lies, where it is no section of its own there. */
  readonly bounds?: readonly [start: string, end: string];
  readonly entry: SpecialSection["entry"];
  /** `relative`: a distance of 32 bits from the entry itself; `absolute`: an address of 64. */
  readonly place: "relative" | "absolute";
  /** How many bytes may become others: those of the instruction there, a number, or what a byte of the entry says, by the entry's size. */
  readonly length: "instruction" | number | { readonly byteAt: Readonly<Record<number, number>> };
  /** Its places are calls that are rewritten where the kernel counts them alone (CONFIG_CALL_DEPTH_TRACKING, retbleed=stuff). */
  readonly isCounted?: true;
  /** Its places are ftrace's. */
  readonly isHook?: true;
}
