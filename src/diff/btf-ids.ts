/**
 * Lists of BTF ids (include/linux/btf_ids.h of the kernel): the compiler leaves
 * them empty, and the ids are filled in when vmlinux is linked.
 */
import type { Atom, UnitSection, UnitSymbol } from "./unit.ts";

/** Name of the section that holds them all. */
export const BTF_IDS = ".BTF_ids";

/** Symbols of single ids start with it, `__BTF_ID__func__name__17`, and so do those of sets. */
const MARK = "__BTF_ID__";

/** A set knows how long it is and is sorted; `set8` has flags for each id. Bytes. */
const SETS = [
  { prefix: `${MARK}set__`, header: 4, entry: 4 },
  { prefix: `${MARK}set8__`, header: 8, entry: 8 },
] as const;

/**
 * How a sorted set of ids lies in the section: a header, then entries of one size.
 * Source: struct btf_id_set and btf_id_set8, include/linux/btf.h.
 */
export interface SetShape {
  /** Bytes before the first entry; the first four are the count. */
  readonly header: number;
  /** Bytes of an entry; the first four are the id. */
  readonly entry: number;
}

/** What the symbol that tells a set's size says of its shape; undefined for other symbols. */
export function setShape(symbol: string): SetShape | undefined {
  return SETS.find(({ prefix }) => symbol.startsWith(prefix));
}

/** What is asked for at the place of a symbol: a kind, as C has it, and a name. */
export function wantedId(symbol: string): { readonly kind: string; readonly name: string } | undefined {
  const [, kind, name] = /^__BTF_ID__(func|struct|union|typedef)__(.+)__\d+$/.exec(symbol) ?? [];
  return kind === undefined || name === undefined ? undefined : { kind, name };
}

/**
 * One atom for each list. A set that is alone is a constant like others: who
 * uses it has its start. Where a plain list ends only the code knows, which may
 * refer to that place, the start of the next list.
 */
export function btfIdAtoms(section: UnitSection, symbols: readonly UnitSymbol[]): Atom[] {
  const lists = symbols.filter(({ name }) => !name.startsWith(MARK));
  return lists.map((list, i) => {
    const start = i === 0 ? 0 : list.value;
    const end = lists[i + 1]?.value ?? section.size;
    const set = symbols.find(({ name, value }) => value === list.value && setShape(name) !== undefined);
    return {
      section,
      start,
      end,
      kind: set === undefined ? "data" : "constant",
      symbols: set === undefined ? [list] : [list, set],
      name: list.name,
      anonymous: false,
      references: [],
      entries: [],
      data: section.data.subarray(start, end),
    };
  });
}

/** Whether it is a list that no livepatch can bring: any but a set that has its ids. */
export function isUnfilled(atom: Atom): boolean {
  return atom.section.name === BTF_IDS && !isFilledSet(atom);
}

function isFilledSet({ symbols, data, section }: Atom): boolean {
  const shape = symbols.map(({ name }) => setShape(name)).find((found) => found !== undefined);
  if (shape === undefined || data.length < shape.header + shape.entry) return false;
  return shape.header + section.arch.elf.words.u32(data, 0) * shape.entry === data.length;
}
