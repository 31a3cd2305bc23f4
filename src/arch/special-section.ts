/** The tables that say something about single places in a kernel's code. */

/**
 * A table whose entries go with code: what an entry is, and what becomes of it when its
 * code travels. Offsets are bytes from an entry's start.
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
  /**
   * Where the line lies that a warning prints, two bytes, which is no difference: by the entry's
   * size, where the kernel's types do not tell where `STRUCT.line` lies.
   */
  readonly line?: Readonly<Record<number, number>>;
  /** Where the relocation lies that names a static key, whose state decides what the code does, by the entry's size. */
  readonly staticKey?: Readonly<Record<number, number>>;
  /** Where the relocation lies that names a static call's key. */
  readonly staticCall?: number;
  /**
   * Where the relocation lies that names the code to put in place, and, by the entry's size, the
   * byte with that code's length: of length 0 it points behind what comes before, at code of others.
   */
  readonly replacement?: { readonly at: number; readonly length: Readonly<Record<number, number>> };
  /** Its places are ftrace's: where a function can be redirected. */
  readonly isHook?: true;
  /** What stands at the place, where the kernel rewrites it while it runs, or at boot: with its article. */
  readonly rewrites?: string;
  /** How code may go on elsewhere from the place: by a jump, by a fault, in code that is put in its place. */
  readonly leads?: "jump" | "fault" | "replacement";
}

/** asm-generic/bug.h, where places are relative. */
export const BUG_TABLE: SpecialSection = {
  name: "__bug_table",
  entry: { struct: "bug_entry", fallback: 12 },
  key: 0,
  fate: "travels",
  compared: true,
  // Since 6.19 the text that WARN prints comes before it.
  line: { 12: 8, 16: 12 },
};

/** Where places are relative, with a type and data. */
export const EXCEPTION_TABLE: SpecialSection = {
  name: "__ex_table",
  entry: { struct: "exception_table_entry", fallback: 12 },
  key: 0,
  fate: "travels",
  compared: true,
  leads: "fault",
};

/** linux/jump_label.h, where places are relative. */
export const JUMP_TABLE: SpecialSection = {
  name: "__jump_table",
  entry: { struct: "jump_entry", fallback: 16 },
  key: 0,
  fate: "travels",
  compared: true,
  rewrites: "a jump label",
  leads: "jump",
  // 24 bytes before 4.20: three addresses.
  staticKey: { 16: 8, 24: 16 },
};

/** Of addresses: what generic code of the kernel reads. */
export const ON_ALL_MACHINES: readonly SpecialSection[] = [
  // A probe must not be set where the code that handles probes runs.
  { name: "_kprobe_blacklist", entry: 8, key: 0, fate: "travels", compared: false },
  // Of a module's: what a variable needs per processor is made when the module is loaded.
  { name: "___srcu_struct_ptrs", entry: 8, key: 0, fate: "travels", compared: true },
  { name: "__mcount_loc", entry: 8, key: 0, fate: "travels", compared: false, isHook: true },
  { name: "__patchable_function_entries", entry: 8, key: 0, fate: "travels", compared: false },
];

/** Beginnings of the names of sections that the kernel's tools fill for their own use on all machines. */
export const DROPPED_ON_ALL_MACHINES: readonly string[] = [
  ...[".printk_index", ".discard", ".kcfi_traps", ".eh_frame"],
  // Which tracepoints are used, and which exports stay: read when the kernel is linked.
  ...["__tracepoint_check", ".no_trim_symbol"],
];
