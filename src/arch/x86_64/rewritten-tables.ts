/**
 * What an x86 kernel rewrites in itself. Source: the kernel's arch/x86/kernel/alternative.c,
 * jump_label.c, static_call.c, ftrace.c, and asm/runtime-const.h.
 */
import type { RewrittenTable } from "../rewritten-table.ts";

const PLACES = { entry: 4, place: "relative" } as const;

/** Each table of places that are not, while the kernel runs, what its file has. */
export const REWRITTEN_TABLES: readonly RewrittenTable[] = [
  {
    section: ".altinstructions",
    entry: { struct: "alt_instr", fallback: 12 },
    place: "relative",
    // Before 5.19 the length of the padding ends an entry.
    length: { byteAt: { 12: 10, 13: 10, 14: 12 } },
  },
  {
    section: ".parainstructions",
    entry: { struct: "paravirt_patch_site", fallback: 16 },
    place: "absolute",
    length: { byteAt: { 16: 9 } },
  },
  // Where there is one processor the prefix is another.
  { section: ".smp_locks", ...PLACES, length: 1 },
  { section: ".retpoline_sites", ...PLACES, length: "instruction" },
  { section: ".return_sites", ...PLACES, length: "instruction" },
  { section: ".call_sites", ...PLACES, length: "instruction", isCounted: true },
  // A landing pad that nothing needs is made a NOP of.
  { section: ".ibt_endbr_seal", ...PLACES, length: 4 },
  {
    section: "__jump_table",
    bounds: ["__start___jump_table", "__stop___jump_table"],
    entry: { struct: "jump_entry", fallback: 16 },
    place: "relative",
    length: "instruction",
  },
  {
    section: ".static_call_sites",
    bounds: ["__start_static_call_sites", "__stop_static_call_sites"],
    entry: { struct: "static_call_site", fallback: 8 },
    place: "relative",
    length: "instruction",
  },
  {
    section: "__mcount_loc",
    bounds: ["__start_mcount_loc", "__stop_mcount_loc"],
    entry: 8,
    place: "absolute",
    length: 5,
    isHook: true,
  },
  // Constants that are known when the kernel has booted: an address of 64 bits, a shift of 8, a mask of 32.
  { section: "runtime_ptr_", isPrefix: true, ...PLACES, length: 8 },
  { section: "runtime_shift_", isPrefix: true, ...PLACES, length: 1 },
  { section: "runtime_mask_", isPrefix: true, ...PLACES, length: 4 },
];
