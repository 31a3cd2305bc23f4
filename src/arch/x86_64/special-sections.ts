/**
 * The tables that say something about single places in an x86 kernel's code: each
 * entry belongs to the code that its key relocation points at, and must travel
 * with it. Source of the layouts: the kernel's asm/alternative.h,
 * asm/jump_label.h, asm/orc_types.h, asm/bug.h, linux/static_call_types.h.
 */
import { BUG_TABLE, EXCEPTION_TABLE, JUMP_TABLE, ON_ALL_MACHINES, type SpecialSection } from "../special-section.ts";

/** ORC is two tables in step: the addresses, and in `ORC_DATA` what holds from each on. */
export const ORC_ADDRESSES = ".orc_unwind_ip";
/** The ORC unwinder's entries; .orc_unwind_ip, in step with it, says which code each is about. */
export const ORC_DATA = ".orc_unwind";

/** Every table whose entries are known to belong to single places in the code. */
export const SPECIAL_SECTIONS: readonly SpecialSection[] = [
  {
    name: ".altinstructions",
    entry: { struct: "alt_instr", fallback: 12 },
    key: 0,
    fate: "travels",
    compared: true,
    rewrites: "an alternative instruction",
    leads: "replacement",
    // 13 bytes before 5.19, with the length of the padding at their end.
    replacement: { at: 4, length: { 12: 11, 13: 11, 14: 13 } },
  },
  {
    name: ".parainstructions",
    entry: { struct: "paravirt_patch_site", fallback: 16 },
    key: 0,
    fate: "travels",
    compared: true,
    rewrites: "a paravirtual call",
  },
  {
    name: ".smp_locks",
    entry: 4,
    key: 0,
    fate: "travels",
    compared: false,
    rewrites: "a lock prefix",
  },
  { name: ".retpoline_sites", entry: 4, key: 0, fate: "travels", compared: false, rewrites: "an indirect branch" },
  { name: ".return_sites", entry: 4, key: 0, fate: "travels", compared: false, rewrites: "a return" },
  // Where calls are counted (CONFIG_CALL_DEPTH_TRACKING) each gets another destination before it runs, and stays the call that it is.
  { name: ".call_sites", entry: 4, key: 0, fate: "travels", compared: false },
  // A sealed entry can no longer be called through a pointer; leaving new code unsealed is the safe side.
  { name: ".ibt_endbr_seal", entry: 4, key: 0, fate: "dropped", compared: false },
  { name: ".cfi_sites", entry: 4, key: 0, fate: "dropped", compared: false },
  BUG_TABLE,
  EXCEPTION_TABLE,
  JUMP_TABLE,
  {
    name: ".static_call_sites",
    entry: { struct: "static_call_site", fallback: 8 },
    key: 0,
    fate: "travels",
    compared: true,
    rewrites: "a static call",
    staticCall: 4,
  },
  { name: ORC_ADDRESSES, entry: 4, key: 0, fate: "travels", compared: false },
  ...ON_ALL_MACHINES,
];
