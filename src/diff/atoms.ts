import { SHF, STT } from "../elf/constants.ts";
import { BTF_IDS, btfIdAtoms } from "./btf-ids.ts";
import { isLabel, type RawReference, type RawUnit } from "./raw-unit.ts";
import { PARAMETERS, TRACEPOINT_STRINGS } from "./roles.ts";
import { takenApart } from "./taken-apart.ts";
import type { Atom, AtomKind, UnitSection, UnitSymbol } from "./unit.ts";

/** Cuts every section of the running image into atoms: one for each function, and one for each variable. */
export function cutIntoAtoms(raw: RawUnit): void {
  const defined = new Map<UnitSection, UnitSymbol[]>();
  for (const symbol of raw.symbols) {
    if (symbol.section === undefined || symbol.name === "" || isLabel(symbol.name) || symbol.type === STT.FILE)
      continue;
    const list = defined.get(symbol.section);
    if (list === undefined) defined.set(symbol.section, [symbol]);
    else list.push(symbol);
  }
  const incoming = referencedOffsets(raw);
  for (const section of raw.sections) {
    if (section.role === "dropped" || section.role === "table" || section.role === "literals") continue;
    const symbols = (defined.get(section) ?? []).sort((a, b) => a.value - b.value || b.size - a.size);
    section.atoms = atomsOf(section, symbols, incoming.get(section), raw);
  }
}

/** A string for each tracepoint, which only the tracepoint points to; a pointer for each tracepoint_string(), which is only read. */
const OF_SINGLE_VALUES: ReadonlySet<string> = new Set(["__tracepoints_strings", TRACEPOINT_STRINGS]);

/** The atom that holds an offset of its section; an offset outside belongs to the nearest one. */
export function atomAt(section: UnitSection, offset: number): Atom {
  const { atoms } = section;
  let low = 0;
  let high = atoms.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((atoms[middle] as Atom).start <= offset) low = middle;
    else high = middle - 1;
  }
  return atoms[low] as Atom;
}

/** Where relocations point into sections of code that have no symbols (`.fixup`, `.altinstr_aux`). */
function referencedOffsets(raw: RawUnit): Map<UnitSection, number[]> {
  const offsets = new Map<UnitSection, number[]>();
  for (const [index, list] of raw.relocations) {
    const isCode = ((raw.sections[index]?.flags ?? 0) & SHF.EXECINSTR) !== 0;
    for (const { symbol, type, addend } of list) {
      if (symbol.section?.role !== "code" || symbol.name !== "") continue;
      const at = addend + (isCode ? raw.arch.code.usualReach(type) : 0);
      const known = offsets.get(symbol.section);
      if (known === undefined) offsets.set(symbol.section, [at]);
      else known.push(at);
    }
  }
  return offsets;
}

function atomsOf(
  section: UnitSection,
  symbols: readonly UnitSymbol[],
  incoming: readonly number[] | undefined,
  raw: RawUnit,
): Atom[] {
  const isCode = section.role === "code" || (section.role === "init" && (section.flags & SHF.EXECINSTR) !== 0);
  if (isCode) {
    const functions = symbols.filter((symbol) => symbol.type === STT.FUNC || symbol.type === STT.NOTYPE);
    if (functions.length === 0) return anonymousCode(section, incoming);
    relocateAddresses(section, functions, raw);
    const starts = functionStarts(functions);
    if (starts.length > 1) return spans(section, takenApart(section, starts, functions, raw), symbols, "function");
    return [atom(section, { start: 0, end: section.size }, symbols, "function")];
  }
  const lists = section.name === BTF_IDS && section.environment === "kernel" ? btfIdAtoms(section, symbols) : [];
  if (lists.length > 0) return lists;
  // A constant can be addressed from before its start or behind its end; only where it is alone is it clear which one is meant.
  if (section.role === "constant" && (section.flags & SHF.MERGE) !== 0 && section.entrySize > 0) {
    const starts = Array.from({ length: Math.ceil(section.size / section.entrySize) }, (_, i) => i * section.entrySize);
    return spans(section, starts, symbols, "constant");
  }
  if (section.role === "constant" && !OF_SINGLE_VALUES.has(section.name))
    return [atom(section, { start: 0, end: section.size }, symbols, "constant")];
  if (section.role === "load-time" && section.name !== PARAMETERS)
    return [atom(section, { start: 0, end: section.size }, symbols, "data")];
  const starts = [...new Set(symbols.map((symbol) => symbol.value))];
  const kind = section.role === "constant" ? "constant" : "data";
  if (starts.length > 1) return spans(section, starts, symbols, kind).map((each) => withoutPadding(each, raw));
  return [atom(section, { start: 0, end: section.size }, symbols, kind)];
}

/** What lies between a variable and the next one of its section is part of neither: it changes with the neighbours. */
function withoutPadding(whole: Atom, raw: RawUnit): Atom {
  const { section, start, symbols } = whole;
  const end = Math.max(start, ...symbols.map(({ value, size }) => value + size));
  const isSized = symbols.length > 0 && symbols.every(({ size }) => size > 0);
  const isPadding = isSized && end < whole.end && whole.end - end < section.alignment;
  const rest = section.data.subarray(Math.min(end, section.data.length), Math.min(whole.end, section.data.length));
  const isReferredFrom = (raw.relocations.get(section.index) ?? []).some(
    ({ offset }) => offset >= end && offset < whole.end,
  );
  if (!isPadding || isReferredFrom || rest.some((byte) => byte !== 0)) return whole;
  return atom(section, { start, end }, symbols, whole.kind);
}

function functionStarts(functions: readonly UnitSymbol[]): number[] {
  const starts = new Set<number>();
  const padded = new Map(
    functions.filter((it) => it.name.startsWith("__pfx_")).map((it) => [it.name.slice(6), it.value]),
  );
  for (const symbol of functions) {
    if (symbol.type !== STT.FUNC || symbol.name.startsWith("__pfx_")) continue;
    starts.add(padded.get(symbol.name) ?? symbol.value);
  }
  return [...starts].sort((a, b) => a - b);
}

function spans(
  section: UnitSection,
  starts: readonly number[],
  symbols: readonly UnitSymbol[],
  kind: AtomKind,
): Atom[] {
  return starts.map((start, i) => {
    const from = i === 0 ? 0 : start;
    const to = starts[i + 1] ?? section.size;
    const inside = symbols.filter((symbol) => symbol.value >= from && (symbol.value < to || i === starts.length - 1));
    return atom(section, { start: from, end: to }, inside, kind);
  });
}

function anonymousCode(section: UnitSection, incoming: readonly number[] | undefined): Atom[] {
  const starts = [...new Set([0, ...(incoming ?? [])])]
    .filter((it) => it >= 0 && it < section.size)
    .sort((a, b) => a - b);
  const atoms = starts.map((start, i) => atom(section, { start, end: starts[i + 1] ?? section.size }, [], "code"));
  return atoms.length > 0 ? atoms : [atom(section, { start: 0, end: section.size }, [], "code")];
}

function atom(
  section: UnitSection,
  { start, end }: Pick<Atom, "start" | "end">,
  symbols: readonly UnitSymbol[],
  kind: AtomKind,
): Atom {
  const named = symbols.filter((symbol) => symbol.size > 0 || symbol.type !== STT.NOTYPE || symbol.binding !== 0);
  const first = named.find((symbol) => !symbol.name.startsWith("__pfx_")) ?? named[0];
  return {
    section,
    start,
    end,
    kind,
    symbols: named,
    name: first?.name ?? `${section.name}${start === 0 ? "" : `+0x${start.toString(16)}`}`,
    anonymous: first === undefined,
    references: [],
    entries: [],
    data: section.data.subarray(start, Math.min(end, section.data.length)),
  };
}

/**
 * The assembler resolves the address of a function that is taken in the
 * function's own section by itself. Turns each into a relocation: it means the
 * function by its name, and not a place in this code.
 */
function relocateAddresses(section: UnitSection, functions: readonly UnitSymbol[], raw: RawUnit): void {
  const { data, arch } = section;
  const { operand } = arch.elf.relocations;
  const relocations = raw.relocations.get(section.index) ?? [];
  const added: RawReference[] = [];
  for (const { field, to } of arch.code.addressFields(data)) {
    const symbol = functions.find((it) => it.type === STT.FUNC && it.value === to && !it.name.startsWith("__pfx_"));
    if (symbol === undefined || relocations.some(({ offset }) => offset === field)) continue;
    if (hasOperandAt(section, field, functions))
      added.push({ offset: field, type: operand, symbol, addend: -arch.code.usualReach(operand) });
  }
  if (added.length > 0)
    raw.relocations.set(
      section.index,
      [...relocations, ...added].sort((a, b) => a.offset - b.offset),
    );
}

/** Whether an instruction of the function there has its relative operand at `field`, as against bytes that look like one. */
function hasOperandAt({ data, arch }: UnitSection, field: number, functions: readonly UnitSymbol[]): boolean {
  let at = Math.max(0, ...functions.map(({ value }) => value).filter((value) => value <= field));
  while (at <= field) {
    const instruction = arch.code.decode(data, at);
    if (instruction === undefined) return false;
    if (instruction.branch === 0 && instruction.field !== undefined && at + instruction.field === field) return true;
    at += instruction.length;
  }
  return false;
}
