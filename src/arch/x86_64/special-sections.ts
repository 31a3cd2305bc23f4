/**
 * The tables that say something about single places in a kernel's code: each
 * entry belongs to the code that its key relocation points at, and must travel
 * with it. Source of the layouts: the kernel's asm/alternative.h,
 * asm/jump_label.h, asm/orc_types.h, asm/bug.h, linux/static_call_types.h.
 */

export interface SpecialSection {
  readonly name: string;
  /** The struct whose size is the entry's, where it differs between kernels; its usual size otherwise. */
  readonly entry: { readonly struct: string; readonly fallback: number } | number;
  /** Where in an entry the relocation lies that names the code it belongs to. */
  readonly key: number;
  /**
   * `travels`: entries go with their code; `dropped`: the running kernel needs
   * none for a livepatch, and a missing one is safe.
   */
  readonly fate: "travels" | "dropped";
  /** Whether a difference in an entry alone is a change of the function it belongs to. */
  readonly compared: boolean;
  /** Bytes of an entry that are no difference, [from, to). */
  readonly ignored?: readonly [number, number];
  /** Where the relocation lies that names a static key, whose state decides what the code does, by the entry's size. */
  readonly staticKey?: Readonly<Record<number, number>>;
  /** Where the relocation lies that names a static call's key. */
  readonly staticCall?: number;
  /**
   * Where the relocation lies that names the code to put in place, and, by the entry's size, the
   * byte with that code's length: of length 0 it points behind what comes before, at code of others.
   */
  readonly replacement?: { readonly at: number; readonly length: Readonly<Record<number, number>> };
}

/**
 * Code that alternatives lead away from for good (static_cpu_has): no task is in it
 * once they are applied, and the kernel frees its own. Source: vmlinux.lds.S of x86.
 */
export const BEFORE_ALTERNATIVES = ".altinstr_aux";

/** ORC is two tables in step: the addresses, and behind `ORC_DATA` what holds from each on. */
export const ORC_ADDRESSES = ".orc_unwind_ip";
export const ORC_DATA = ".orc_unwind";

export const SPECIAL_SECTIONS: readonly SpecialSection[] = [
  {
    name: ".altinstructions",
    entry: { struct: "alt_instr", fallback: 12 },
    key: 0,
    fate: "travels",
    compared: true,
    // 13 bytes before 5.19, with the length of the padding at their end.
    replacement: { at: 4, length: { 12: 11, 13: 11, 14: 13 } },
  },
  {
    name: ".parainstructions",
    entry: { struct: "paravirt_patch_site", fallback: 16 },
    key: 0,
    fate: "travels",
    compared: true,
  },
  { name: ".smp_locks", entry: 4, key: 0, fate: "travels", compared: false },
  { name: ".retpoline_sites", entry: 4, key: 0, fate: "travels", compared: false },
  { name: ".return_sites", entry: 4, key: 0, fate: "travels", compared: false },
  { name: ".call_sites", entry: 4, key: 0, fate: "travels", compared: false },
  // A sealed entry can no longer be called through a pointer; leaving new code unsealed is the safe side.
  { name: ".ibt_endbr_seal", entry: 4, key: 0, fate: "dropped", compared: false },
  { name: ".cfi_sites", entry: 4, key: 0, fate: "dropped", compared: false },
  {
    name: "__bug_table",
    entry: { struct: "bug_entry", fallback: 12 },
    key: 0,
    fate: "travels",
    compared: true,
    ignored: [8, 10],
  },
  {
    name: "__ex_table",
    entry: { struct: "exception_table_entry", fallback: 12 },
    key: 0,
    fate: "travels",
    compared: true,
  },
  {
    name: "__jump_table",
    entry: { struct: "jump_entry", fallback: 16 },
    key: 0,
    fate: "travels",
    compared: true,
    // 24 bytes before 4.20: three addresses.
    staticKey: { 16: 8, 24: 16 },
  },
  {
    name: ".static_call_sites",
    entry: { struct: "static_call_site", fallback: 8 },
    key: 0,
    fate: "travels",
    compared: true,
    staticCall: 4,
  },
  { name: ORC_ADDRESSES, entry: 4, key: 0, fate: "travels", compared: false },
  // A probe must not be set where the code that handles probes runs.
  { name: "_kprobe_blacklist", entry: 8, key: 0, fate: "travels", compared: false },
  // Of a module's: what a variable needs per processor is made when the module is loaded.
  { name: "___srcu_struct_ptrs", entry: 8, key: 0, fate: "travels", compared: true },
  { name: "__mcount_loc", entry: 8, key: 0, fate: "travels", compared: false },
  { name: "__patchable_function_entries", entry: 8, key: 0, fate: "travels", compared: false },
];

/** Sections that the kernel's tools fill for their own use and that no livepatch needs. */
export const DROPPED_SECTIONS = [".printk_index", ".orc_header", ".discard", ".kcfi_traps", ".eh_frame"] as const;
