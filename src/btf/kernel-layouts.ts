/** The structs of a kernel that a livepatch, or the object diff, has to lay out as that kernel does. */
import { structLayout } from "./layout.ts";
import type { Btf } from "./types.ts";

/** A struct of the kernel as this kernel's own types lay it out. */
export interface ByteLayout {
  /** Bytes. */
  readonly size: number;
  /** Bytes from the start, by member; bit fields that do not start at a byte are left out. */
  readonly offsets: Readonly<Record<string, number>>;
}

/** What an entry of each special section is. */
const ENTRIES = [
  "alt_instr",
  "bug_entry",
  "exception_table_entry",
  "jump_entry",
  "orc_entry",
  "paravirt_patch_site",
  "pi_entry",
  "static_call_site",
] as const;

/** What a livepatch module holds, or points into. */
const STRUCTS = [
  "module",
  "klp_patch",
  "klp_object",
  "klp_func",
  "klp_callbacks",
  "klp_state",
  "modversion_info",
  "static_call_key",
  "static_key",
  "tracepoint",
] as const;

/** Places of line numbers in them. */
const LINE = "bug_entry.line";
type LinePlace = typeof LINE;

/** Structs of which the entries of special sections are made. Their sizes differ from kernel to kernel. */
export type SpecialEntry = (typeof ENTRIES)[number];
/** Structs of which a livepatch module holds some, or whose fields it points to. */
export type KernelStruct = (typeof STRUCTS)[number];

/** Plain data, to be kept as JSON; a struct that the kernel does not have is not in it. */
export interface KernelLayouts {
  /** Bytes of one entry; `STRUCT.line`, where in one a line number lies. */
  readonly entrySizes: { readonly [Name in SpecialEntry | LinePlace]?: number };
  readonly structs: { readonly [Name in KernelStruct]?: ByteLayout };
}

/** `vmlinux` is the BTF of the kernel itself, without which there is nothing to lay out. */
export function kernelLayouts(vmlinux: Btf): KernelLayouts {
  const entrySizes: { [Name in SpecialEntry | LinePlace]?: number } = {};
  for (const name of ENTRIES) {
    const layout = structLayout(vmlinux, name);
    if (layout === undefined) continue;
    entrySizes[name] = layout.size;
    const line = layout.members.find((member) => `${name}.${member.name}` === LINE);
    if (line !== undefined) entrySizes[LINE] = line.bitOffset / 8;
  }
  const structs: { [Name in KernelStruct]?: ByteLayout } = {};
  for (const name of STRUCTS) {
    const layout = structLayout(vmlinux, name);
    if (layout === undefined) continue;
    const offsets: Record<string, number> = {};
    for (const member of layout.members) {
      if (member.bitOffset % 8 === 0) offsets[member.name] = member.bitOffset / 8;
    }
    structs[name] = { size: layout.size, offsets };
  }
  return { entrySizes, structs };
}
