/** Every function, variable and section of two objects, by name alone. */
import type { KernelLayouts } from "../btf/kernel-layouts.ts";
import { SHF, SHT } from "../elf/constants.ts";
import type { ElfFile, ElfSection } from "../elf/model.ts";
import type { LineNumbers } from "./line-numbers.ts";
import { plainName, sameButForLines } from "./names.ts";
import { isStrings, type Named, PlainObject } from "./plain-object.ts";
import { type PlaceRule, type Reason, Sameness, type Side, said } from "./same.ts";
import { isTable, tablesOf } from "./tables.ts";

/**
 * A thing that is not the same in both objects, or is in one of them alone. Sections
 * are compared whole where they have no symbols; then neither side is named.
 */
export interface Difference {
  readonly kind: "changed" | "added" | "removed";
  readonly of: "function" | "variable" | "section";
  /** As the side that has it calls it; the original's where both have. */
  readonly name: string;
  readonly section: string;
  /** Where they differ, as a sentence part; empty where one side has it alone. */
  readonly reason: string;
  readonly original: Named | undefined;
  readonly patched: Named | undefined;
}

/**
 * Two objects of one unit, and all in which they differ. What follows from the code or
 * is compared where it is used has no difference of its own.
 */
export interface Comparison {
  readonly original: Side;
  readonly patched: Side;
  readonly lines: LineNumbers;
  readonly differences: readonly Difference[];
}

/**
 * Sections whose contents follow from the code that is compared anyway (unwind
 * tables, seals, lists that objtool makes for the build), that no one reads at
 * run time (notes, debug information, modinfo), or that are compared where they
 * are referred to (strings, constants, replacements of alternatives).
 */
const FOLLOWS =
  /^\.(orc_|discard|comment|note|debug|BTF(?!_ids)|eh_frame|printk_index|modinfo|ibt_endbr_seal|cfi_sites|kcfi_traps|altinstr_replacement|altinstr_aux|llvm|gnu\.linkonce\.this_module|group|text\.fixup|fixup|gnu_debug|annobin|gcc_except_table|no_trim_symbol)|^(__versions|__tracepoint_check)$/;

/**
 * Compares two objects of one unit by the names of what they define, and for equal
 * names by what they do. `sizes` are the entries' of the kernel's tables, in bytes, as
 * its types tell them; the usual ones are taken for those left out.
 */
export function compareObjects(
  originalFile: ElfFile,
  patchedFile: ElfFile,
  sizes: KernelLayouts["entrySizes"],
  lines: LineNumbers,
): Comparison {
  const original = sideOf(originalFile, sizes);
  const patched = sideOf(patchedFile, sizes);
  const same = new Sameness(original, patched, lines, { place: notAnothers });
  const differences: Difference[] = [];
  for (const what of ["function", "variable"] as const) {
    const kind = what === "function" ? "function" : "object";
    const namedIn = (side: Side) => side.object.named.filter((each) => each.kind === kind && isCompared(each.section));
    const reasonOf = (a: Named, b: Named): Reason =>
      (what === "function" ? same.functions(a, b) : same.variables(a, b)) ?? placeReason(a, b);
    for (const [name, group] of grouped(namedIn(original), namedIn(patched), lines))
      differences.push(...inGroup(name, what, group, { reasonOf, partnerOf: (a) => same.partnerOf(a) }));
  }
  differences.push(...sectionDifferences(original, patched, same));
  return { original, patched, lines, differences };
}

/** What only its own file sees is not what another file defines under that name. */
const notAnothers: PlaceRule = (a, b) => {
  const [inside, outside] = a.kind === "elsewhere" ? [b, a] : [a, b];
  const isAnothers = outside.kind === "elsewhere" && inside.kind === "named" && !inside.named.isGlobal;
  return isAnothers ? { reason: `${said(b)} instead of ${said(a)}` } : undefined;
};

/** An object made ready to be compared; `sizes` as for `compareObjects`. */
export function sideOf(file: ElfFile, sizes: KernelLayouts["entrySizes"]): Side {
  const object = new PlainObject(file);
  return { object, tables: tablesOf(object, sizes) };
}

function isCompared(section: ElfSection): boolean {
  return !FOLLOWS.test(section.name) && !isTable(section.name);
}

/** Code that is put elsewhere, and data that becomes writable, or per CPU, is another thing, though its contents are the same. */
export function placeReason(a: Named, b: Named): Reason {
  const [from, to] = [sectionKind(a.section), sectionKind(b.section)];
  return from === to ? undefined : `${ONLY_PLACED}${to} instead of ${from}`;
}

/** How the reason begins where nothing differs but the section. */
export const ONLY_PLACED = "it is in ";

/** Sections of single functions and variables are those that they would be in without. */
function sectionKind({ name, flags }: ElfSection): string {
  const kind = /^\.(text|rodata|data|bss|tdata|tbss|data\.rel\.ro|data\.rel)\._Z/.exec(name);
  const plain = kind === null ? name : `.${kind[1]}`;
  // Where code is rarely or often run is the linker's business.
  if (/^\.text\.(unlikely|hot|startup)(\.|$)/.test(name)) return ".text";
  // Zeros in .data and zeros in .bss are the same to whoever uses them.
  return plain === ".bss" && (flags & SHF.WRITE) !== 0 ? ".data" : plain;
}

interface Group {
  readonly originals: Named[];
  readonly patched: Named[];
}

function grouped(originals: readonly Named[], patched: readonly Named[], lines: LineNumbers): Map<string, Group> {
  const exact = new Set(originals.map(({ name }) => name));
  const isSteady = originals.length === patched.length && patched.every(({ name }) => exact.has(name));
  const groups = new Map<string, Group>();
  const groupOf = (name: string): Group => {
    const key = isSteady ? name : plainName(name);
    const group = groups.get(key) ?? { originals: [], patched: [] };
    groups.set(key, group);
    return group;
  };
  for (const each of originals) groupOf(each.name).originals.push(each);
  const there = new Set(patched.map(({ name }) => name));
  const gone = [...exact].filter((name) => !there.has(name));
  for (const each of patched) {
    const was = exact.has(each.name) ? undefined : gone.find((name) => sameButForLines(name, each.name, lines));
    groupOf(was ?? each.name).patched.push(each);
  }
  return groups;
}

/** How things of a group are told. */
interface Told {
  /** Where the two differ. */
  reasonOf(a: Named, b: Named): Reason;
  partnerOf(a: Named): Named | undefined;
}

/**
 * Of things that have one name but for the compiler's numbers, those go together
 * that functions use in the same way, then those that are the same, then the rest in their order.
 */
function inGroup(
  name: string,
  of: "function" | "variable",
  { originals, patched }: Group,
  { reasonOf, partnerOf }: Told,
): Difference[] {
  const left = [...originals];
  const right = [...patched];
  const pairs: [Named, Named][] = [];
  const take = (mine: Named, other: Named): void => {
    left.splice(left.indexOf(mine), 1);
    right.splice(right.indexOf(other), 1);
    pairs.push([mine, other]);
  };
  if (left.length !== 1 || right.length !== 1) {
    for (const mine of originals) {
      const partner = partnerOf(mine);
      if (partner !== undefined && right.includes(partner)) take(mine, partner);
    }
    for (const mine of [...left]) {
      const other = right.find((each) => reasonOf(mine, each) === undefined);
      if (other !== undefined) take(mine, other);
    }
  }
  const differences: Difference[] = [];
  for (const [original, other] of pairs) {
    const reason = reasonOf(original, other);
    const section = original.section.name;
    if (reason !== undefined)
      differences.push({ of, name: original.name, original, patched: other, section, kind: "changed", reason });
  }
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [mine, other] = [left[i], right[i]];
    const rest = { of, name: mine?.name ?? other?.name ?? name, original: mine, patched: other };
    const section = (mine ?? other)?.section.name ?? "";
    if (mine === undefined || other === undefined) {
      differences.push({ ...rest, section, kind: mine === undefined ? "added" : "removed", reason: "" });
      continue;
    }
    const reason = reasonOf(mine, other);
    if (reason !== undefined) differences.push({ ...rest, section, kind: "changed", reason });
  }
  return differences;
}

/** Sections with contents and no symbols, and entries of tables that are about no function. */
function sectionDifferences(original: Side, patched: Side, same: Sameness): Difference[] {
  const differences: Difference[] = [];
  const isBlob = (side: Side, section: ElfSection) =>
    (section.flags & SHF.ALLOC) !== 0 &&
    section.size > 0 &&
    section.type !== SHT.NOBITS &&
    isCompared(section) &&
    !isStrings(section) &&
    // What has no name there is what the compiler's checks report by.
    section.name !== ".data" &&
    !/^\.(rodata|text|data\.rel\.ro|rodata\.cst\d+)(\.|$)/.test(section.name) &&
    !side.object.named.some((each) => each.section === section);
  const blobs = (side: Side) =>
    new Map(
      side.object.file.sections.filter((each) => isBlob(side, each)).map((section) => [section.name, section] as const),
    );
  const [left, right] = [blobs(original), blobs(patched)];
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const [mine, other] = [left.get(name), right.get(name)];
    const reason = mine === undefined || other === undefined ? "" : same.sections(mine, other);
    if (reason === undefined) continue;
    const kind = mine === undefined ? "added" : other === undefined ? "removed" : "changed";
    differences.push({ kind, of: "section", name, section: name, reason, original: undefined, patched: undefined });
  }
  for (const table of new Set([...original.tables.unowned.keys(), ...patched.tables.unowned.keys()])) {
    const [before, after] = [original, patched].map(({ tables }) => tables.unowned.get(table) ?? 0);
    if (before === after) continue;
    const reason = `${after} entries about no function instead of ${before}`;
    differences.push({
      kind: "changed",
      of: "section",
      name: table,
      section: table,
      reason,
      original: undefined,
      patched: undefined,
    });
  }
  return differences;
}
