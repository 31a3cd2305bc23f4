/** What relocations mean: what they refer to, once the encoding is taken off. */
import { SHF } from "../elf/constants.ts";
import { SutureError } from "../lib/error.ts";
import { atomAt } from "./atoms.ts";
import { isLabel, type RawReference } from "./raw-unit.ts";
import type { Atom, Literal, Reference, Target, UnitSection } from "./unit.ts";

/**
 * Where it leads into a table, the table has to have been read.
 * @param adjust see `Reference`
 * @param from where in its section the atom or entry starts that the relocation lies in
 * @param unit for messages
 * @throws SutureError FORM_NOT_KNOWN
 */
export function reference(relocation: RawReference, adjust: number, from: number, unit: string): Reference {
  return {
    offset: relocation.offset - from,
    type: relocation.type,
    target: targetOf(relocation, adjust, unit),
    adjust,
  };
}

function targetOf(relocation: RawReference, adjust: number, unit: string): Target {
  const { symbol } = relocation;
  const offset = relocation.addend + adjust;
  if (symbol.isAbsolute) return { kind: "absolute", value: symbol.value + offset };
  const { section } = symbol;
  if (section === undefined || section.role === "dropped")
    return { kind: "external", name: symbol.name || (section?.name ?? ""), weak: symbol.binding === 2, offset };
  if (section.role === "literals") {
    // The assembler keeps the symbol of a reference into the middle of a literal, so that what a section symbol's addend says is a literal's start.
    const start = symbol.name === "" ? offset : symbol.value;
    return { kind: "literal", literal: literalAt(section, start), offset: symbol.name === "" ? 0 : offset };
  }
  if (section.role === "table") return entryAt(section, symbol.value + offset, unit);
  if (section.atoms.length === 0) throw formNotKnown(section, symbol.value + offset, unit);
  if (symbol.name !== "" && !isLabel(symbol.name)) {
    const atom = atomAt(section, symbol.value);
    return { kind: "atom", atom, offset: symbol.value - atom.start + offset };
  }
  const at = symbol.value + offset;
  const atom = atomAt(section, at);
  const before = at === atom.start && at > 0 && atom.kind !== "function" ? atomAt(section, at - 1) : undefined;
  const orEndOf = before !== undefined && endsAt(before, at) ? before : undefined;
  return { kind: "atom", atom, offset: at - atom.start, ...(orEndOf === undefined ? {} : { orEndOf }) };
}

function entryAt(section: UnitSection, at: number, unit: string): Target {
  const { size, entries } = section.rows ?? { size: 1, entries: [] };
  const entry = entries[Math.floor(at / size)];
  if (entry !== undefined) return { kind: "entry", entry, offset: at % size };
  throw formNotKnown(section, at, unit);
}

function formNotKnown(section: UnitSection, at: number, unit: string): SutureError {
  return new SutureError(
    "FORM_NOT_KNOWN",
    `something refers to ${section.name}+0x${at.toString(16)}, which is no code, data or entry about code that is known`,
    {
      where: unit,
      hint: "leave the file out of the diff: this kernel has its tables in a form that this suture does not know",
    },
  );
}

/** Bytes: what holds more than one value can be walked to its end. */
const ONE_VALUE = 8;

function endsAt({ symbols, kind }: Atom, at: number): boolean {
  return kind !== "code" && symbols.some(({ value, size }) => size > ONE_VALUE && value + size === at);
}

function literalAt(section: UnitSection, start: number): Literal {
  const width = Math.max(1, section.entrySize);
  const isString = (section.flags & SHF.STRINGS) !== 0;
  let end = start + width;
  if (isString) while (end < section.data.length && !isTerminator(section.data, end - width, width)) end += width;
  return { bytes: section.data.toString("latin1", start, end), alignment: section.alignment, width, isString };
}

function isTerminator(data: Buffer, at: number, width: number): boolean {
  for (let i = at; i < at + width; i++) if (data[i] !== 0) return false;
  return true;
}
