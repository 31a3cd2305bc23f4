/** Reads the special sections: each entry goes to the code that it speaks of. */
import type { SpecialSection } from "../arch/special-section.ts";
import { SutureError } from "../lib/error.ts";
import type { RawReference, RawUnit } from "./raw-unit.ts";
import { reference } from "./references.ts";
import type { Atom, Reference, TableEntry, UnitSection } from "./unit.ts";

/**
 * Sizes of the kernel's structs, bytes, by struct name; a missing one is told from the relocations'
 * stride. `STRUCT.line` is where in such a struct a line number lies.
 */
export type TableSizes = Readonly<Record<string, number | undefined>>;

/** Gives each atom its entries, table by table: which section comes first in an object is by which macro its source uses first, and no difference. */
export function readTables(raw: RawUnit, sizes: TableSizes): void {
  const { specialSections, unwindTable } = raw.arch.kernel;
  const rows = raw.sections.find(({ name }) => name === unwindTable?.rows);
  for (const table of specialSections) {
    for (const section of raw.sections)
      if (section.table === table && section.size > 0)
        readTable({ section, table }, raw, sizes, table.name === unwindTable?.addresses ? (rows ?? "none") : undefined);
  }
}

interface TableSection {
  readonly section: UnitSection;
  readonly table: SpecialSection;
}

function readTable(
  { section, table }: TableSection,
  raw: RawUnit,
  sizes: TableSizes,
  /** Of a table in two sections: what stands beside the addresses. */
  rows: UnitSection | "none" | undefined,
): void {
  const relocations = raw.relocations.get(section.index) ?? [];
  const size = entrySize({ section, table }, relocations, sizes, raw.name);
  const count = Math.ceil(section.size / size);
  const beside = rows === undefined ? undefined : rowsBeside(section, rows, count, raw.name);
  const entries: (TableEntry | undefined)[] = [];
  const counts = new Map<Atom, number>();
  const ignored = lineOf(table, size, sizes);
  let next = 0;
  for (let i = 0; i < count; i++) {
    const start = i * size;
    const references: Reference[] = [];
    for (; next < relocations.length; next++) {
      const relocation = relocations[next] as RawReference;
      if (relocation.offset >= start + size) break;
      references.push(reference(relocation, 0, start, raw.name));
    }
    const key = references.find((it) => it.offset === table.key);
    if (key === undefined) throw misfit(section, raw.name, `entry ${i} has no relocation at its offset ${table.key}`);
    // An entry about code that is linked away (a discarded section) has no atom.
    if (key.target.kind !== "atom") {
      entries.push(undefined);
      continue;
    }
    const owner = key.target.atom;
    const entry: TableEntry = {
      table,
      section,
      owner,
      index: counts.get(owner) ?? owner.entries.filter((each) => each.table === table).length,
      ignored,
      data: padded(section.data.subarray(start, start + size), size),
      references: hasReplacement(table, section.data, start, size)
        ? references
        : references.map((it) => (it.offset === table.replacement?.at ? { ...it, target: key.target } : it)),
      ...(beside === undefined ? {} : { companion: beside.data.subarray(i * beside.size, (i + 1) * beside.size) }),
    };
    owner.entries.push(entry);
    counts.set(owner, entry.index + 1);
    entries.push(entry);
  }
  section.rows = { size, entries };
}

const NO_LINE = [0, 0] as const;
const LINE_BYTES = 2;

function lineOf({ line, entry }: SpecialSection, size: number, sizes: TableSizes): readonly [number, number] {
  if (line === undefined || typeof entry === "number") return NO_LINE;
  const at = sizes[`${entry.struct}.line`] ?? line[size];
  return at === undefined ? NO_LINE : [at, at + LINE_BYTES];
}

/** An alternative that puts nothing in place names no code: where it points is another's start. */
function hasReplacement({ replacement }: SpecialSection, data: Buffer, start: number, size: number): boolean {
  const length = replacement?.length[size];
  return length === undefined || data[start + length] !== 0;
}

/** @returns the rows, and the bytes of one */
function rowsBeside(
  addresses: UnitSection,
  rows: UnitSection | "none",
  count: number,
  unit: string,
): { readonly data: Buffer; readonly size: number } {
  const bytes = rows === "none" ? 0 : rows.size;
  const size = bytes / count;
  if (rows === "none" || !Number.isInteger(size) || size === 0)
    throw new SutureError("OBJECT_CORRUPT", `${addresses.name} and what stands beside it are not in step`, {
      where: `${unit}: ${count} addresses, ${bytes} bytes of data`,
      hint: "compile the object again and run objtool on it",
    });
  return { data: rows.data, size };
}

function entrySize(of: TableSection, relocations: readonly RawReference[], sizes: TableSizes, unit: string): number {
  const { section, table } = of;
  const { entry } = table;
  const given = typeof entry === "number" ? entry : sizes[entry.struct];
  if (given !== undefined) {
    if (given <= 0 || !isWhole(section.size, given))
      throw misfit(section, unit, `${section.size} bytes are no whole number of entries of ${given}`);
    return given;
  }
  const fallback = typeof entry === "number" ? entry : entry.fallback;
  if (isStride(fallback, of, relocations) || isStride(fallback, of, relocations, true)) return fallback;
  for (let size = 4; size <= 128; size++) if (isStride(size, of, relocations)) return size;
  throw misfit(section, unit, "the relocations show no constant size of its entries");
}

/** The padding that aligns what would come next may be missing behind the last entry. */
const ALIGNMENT = 8;

function isWhole(bytes: number, size: number): boolean {
  const rest = bytes % size;
  return rest === 0 || (size % ALIGNMENT === 0 && rest > size - ALIGNMENT);
}

function padded(data: Buffer, size: number): Buffer {
  return data.length === size ? data : Buffer.concat([data, Buffer.alloc(size - data.length)]);
}

/** Whether the relocations repeat with a period of `size` bytes. */
function isStride(
  size: number,
  { section, table }: TableSection,
  relocations: readonly RawReference[],
  isCutShort = false,
): boolean {
  if (section.size % size !== 0 && !(isCutShort && isWhole(section.size, size))) return false;
  const seen = new Map<number, number>();
  for (const { offset } of relocations) seen.set(offset % size, (seen.get(offset % size) ?? 0) + 1);
  const count = Math.ceil(section.size / size);
  return seen.get(table.key) === count && [...seen.values()].every((times) => times <= count);
}

function misfit(section: UnitSection, unit: string, what: string): SutureError {
  return new SutureError("TABLE_SIZE", `${section.name}: ${what}`, {
    where: unit,
    hint: "give the size of its entries with --struct, or check that the object is of this kernel",
  });
}
