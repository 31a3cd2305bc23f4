/** Tables that say something about single places of the code: by the function that each entry is about. */
import type { KernelLayouts } from "../btf/kernel-layouts.ts";
import type { ElfSection } from "../elf/model.ts";
import type { Field, Named, PlainObject } from "./plain-object.ts";

/** The struct whose size an entry has, where it has a name in the kernel's types. */
const ENTRIES: Readonly<Record<string, keyof KernelLayouts["entrySizes"] | number>> = {
  ".altinstructions": "alt_instr",
  ".parainstructions": "paravirt_patch_site",
  __bug_table: "bug_entry",
  __ex_table: "exception_table_entry",
  __jump_table: "jump_entry",
  ".static_call_sites": "static_call_site",
  ".smp_locks": 4,
  ".retpoline_sites": 4,
  ".return_sites": 4,
  ".call_sites": 4,
  __mcount_loc: 8,
  __patchable_function_entries: 8,
};

/** Where in code a constant stands that the kernel fills in as it boots: a table for each kind of place and constant. */
const RUNTIME_CONSTANT = /^runtime_[a-z]+_\w+$/;

function entryKind(section: string): keyof KernelLayouts["entrySizes"] | number | undefined {
  if (RUNTIME_CONSTANT.test(section)) return 4;
  return Object.hasOwn(ENTRIES, section) ? ENTRIES[section] : undefined;
}

const USUAL: Readonly<Record<string, number>> = {
  alt_instr: 12,
  paravirt_patch_site: 16,
  bug_entry: 12,
  exception_table_entry: 12,
  jump_entry: 16,
  static_call_site: 8,
};

/** One entry of a table; offsets are bytes within `section`, half-open. */
export interface Entry {
  readonly table: string;
  readonly section: ElfSection;
  readonly start: number;
  readonly end: number;
  /** The place in the function that it is about. */
  readonly at: number;
  /** Its fields but the first, which is that place. */
  readonly fields: readonly Field[];
  /** The function. */
  readonly owner: Named;
}

/** Entries of all tables of an object, by the function they are about. */
export interface Tables {
  /** In the order of the places, then of the tables. */
  of(named: Named): readonly Entry[];
  /** The entry that holds an offset of a section; `unowned` for one about code that no symbol covers. */
  holding(section: ElfSection, offset: number): Entry | "unowned" | undefined;
  /** Entries about code that no symbol covers, by table. */
  readonly unowned: ReadonlyMap<string, number>;
}

/** Whether a section of this name is a table whose entries go with functions, and is not compared as data. */
export function isTable(name: string): boolean {
  return entryKind(name) !== undefined;
}

/**
 * Splits the object's tables into entries. `sizes` are the kernel's, in bytes; the
 * usual ones are taken for those left out.
 */
export function tablesOf(object: PlainObject, sizes: KernelLayouts["entrySizes"]): Tables {
  const byFunction = new Map<Named, Entry[]>();
  const unowned = new Map<string, number>();
  const bySection = new Map<number, { readonly size: number; readonly entries: (Entry | "unowned")[] }>();
  for (const section of object.file.sections) {
    const kind = entryKind(section.name);
    if (kind === undefined) continue;
    const size = typeof kind === "number" ? kind : (sizes[kind] ?? (USUAL[kind] as number));
    const entries: (Entry | "unowned")[] = [];
    bySection.set(section.index, { size, entries });
    for (let start = 0; start < section.size; start += size) {
      const fields = object.fieldsIn(section, start, start + size);
      const [key, ...rest] = fields;
      const place = key && object.placeOf(key);
      if (place?.kind !== "named" || place.named.kind !== "function") {
        unowned.set(section.name, (unowned.get(section.name) ?? 0) + 1);
        entries.push("unowned");
        continue;
      }
      const owner = place.named;
      const entry = { table: section.name, section, start, end: start + size, at: place.offset, fields: rest, owner };
      entries.push(entry);
      const list = byFunction.get(place.named);
      if (list === undefined) byFunction.set(place.named, [entry]);
      else list.push(entry);
    }
  }
  for (const list of byFunction.values()) list.sort((a, b) => a.at - b.at || (a.table < b.table ? -1 : 1));
  return {
    of: (named) => byFunction.get(named) ?? [],
    holding(section, offset) {
      const table = bySection.get(section.index);
      return table?.entries[Math.floor(offset / table.size)];
    },
    unowned,
  };
}

/** An alternative's replacement, which has no symbol, has the length that the entry's last byte tells. */
export function replacementLength({ table, section, end }: Entry): number | undefined {
  return table === ".altinstructions" ? section.data[end - 1] : undefined;
}
