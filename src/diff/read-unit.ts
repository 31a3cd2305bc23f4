import { archOf } from "../arch/registry.ts";
import { SHF, SHT, STT } from "../elf/constants.ts";
import type { ElfFile, ElfSymbol, Relocation } from "../elf/model.ts";
import { relocationSections, relocationsOf } from "../elf/relocations.ts";
import { SutureError } from "../lib/error.ts";
import { atomAt, cutIntoAtoms } from "./atoms.ts";
import type { RawReference, RawUnit } from "./raw-unit.ts";
import { reference } from "./references.ts";
import { type Environment, roleOf } from "./roles.ts";
import { readTables, type TableSizes } from "./tables.ts";
import type { Atom, Reference, Unit, UnitSection, UnitSymbol } from "./unit.ts";

/**
 * Reads a relocatable object for the object diff.
 * @throws SutureError OBJECT_CORRUPT, MACHINE_NOT_KNOWN, FORM_NOT_KNOWN, TABLE_SIZE
 */
export function readUnit(file: ElfFile, sizes: TableSizes, environment: Environment = "kernel"): Unit {
  const raw = readRaw(file, environment);
  cutIntoAtoms(raw);
  const atoms: Atom[] = [];
  const definitions = new Map<string, Atom>();
  for (const section of raw.sections) {
    for (const atom of section.atoms) {
      atoms.push(atom);
      for (const symbol of atom.symbols) if (!definitions.has(symbol.name)) definitions.set(symbol.name, atom);
    }
  }
  // What refers to an entry of a table means what that one speaks of.
  readTables(raw, sizes);
  for (const section of raw.sections) {
    if (section.role !== "dropped" && section.role !== "table") distribute(section, raw);
  }
  for (const [index, offsets] of raw.hooks) {
    const section = raw.sections[index];
    if (section === undefined || section.atoms.length === 0) continue;
    for (const offset of offsets) {
      const atom = atomAt(section, offset);
      atom.emptiedHook = offset - atom.start;
    }
  }
  return { name: raw.name, arch: raw.arch, sections: raw.sections, symbols: raw.symbols, atoms, definitions };
}

function readRaw(file: ElfFile, environment: Environment): RawUnit {
  const arch = archOf(file);
  const { none } = arch.elf.relocations;
  const { callee } = arch.kernel.entryHook;
  const relocated = relocationSections(file);
  const sections = file.sections.map((section): UnitSection => {
    const role = roleOf(section, environment, arch);
    const table =
      environment === "kernel"
        ? arch.kernel.specialSections.find((special) => special.name === section.name)
        : undefined;
    return {
      index: section.index,
      name: section.name,
      // A linker merges no constants that hold addresses: each is what it is, in its place.
      role: role === "literals" && relocated.has(section.index) ? "constant" : role,
      environment,
      arch,
      type: section.type,
      flags: section.flags & ~SHF.GROUP,
      alignment: Math.max(1, section.alignment),
      entrySize: section.entrySize,
      size: section.size,
      data: section.data,
      atoms: [],
      ...(table === undefined ? {} : { table }),
    };
  });
  const symbols = file.symbols.map((symbol) => unitSymbol(file, symbol, sections));
  const relocations = new Map<number, RawReference[]>();
  const hooks = new Map<number, number[]>();
  for (const [target, tables] of relocated) {
    const section = sections[target];
    if (section === undefined || section.role === "dropped") continue;
    const found = tables.flatMap((table) => relocationsOf(file, table));
    const emptied = found.filter(
      (it) => it.type === none && callee !== undefined && symbols[it.symbol]?.name === callee,
    );
    if (emptied.length > 0)
      hooks.set(
        target,
        emptied.map(({ offset }) => offset),
      );
    const all = found
      // objtool takes a relocation back by making it none.
      .filter(({ type }) => type !== none)
      .map((it) => rawReference(it, section, symbols, file));
    all.sort((a, b) => a.offset - b.offset);
    relocations.set(target, all);
  }
  return { name: file.name, arch, sections, symbols, relocations, hooks };
}

function unitSymbol(file: ElfFile, symbol: ElfSymbol, sections: UnitSection[]): UnitSymbol {
  const section = symbol.place.kind === "section" ? sections[symbol.place.section] : undefined;
  const isAbsolute = symbol.place.kind === "absolute";
  const value = Number(symbol.value);
  const size = Number(symbol.size);
  if (section !== undefined && value + size > section.size && section.type !== SHT.NULL && section.role !== "dropped")
    throw corrupt(file, `symbol ${symbol.name} ends behind its section`, `${section.name}+0x${value.toString(16)}`);
  return {
    name: symbol.type === STT.SECTION ? "" : symbol.name,
    type: symbol.type,
    binding: symbol.binding,
    visibility: symbol.visibility,
    section,
    value,
    size,
    isAbsolute,
  };
}

function rawReference(
  relocation: Relocation,
  section: UnitSection,
  symbols: readonly UnitSymbol[],
  file: ElfFile,
): RawReference {
  const symbol = symbols[relocation.symbol];
  const addend = Number(relocation.addend);
  const where = `${section.name}+0x${relocation.offset.toString(16)}`;
  if (symbol === undefined) throw corrupt(file, "a relocation names no symbol", where);
  if (!Number.isSafeInteger(addend)) throw corrupt(file, "a relocation's addend is out of range", where);
  const { relocationSize, inKernel } = section.arch.elf;
  const size = relocationSize(relocation.type) ?? 0;
  if (section.type === SHT.NOBITS || relocation.offset + size > section.data.length)
    throw corrupt(file, "a relocation lies outside its section", where);
  const type = section.environment === "kernel" ? inKernel(relocation.type) : relocation.type;
  return { offset: relocation.offset, type, symbol, addend };
}

function corrupt(file: ElfFile, what: string, where: string): SutureError {
  return new SutureError("OBJECT_CORRUPT", what, {
    where: `${file.name}: ${where}`,
    hint: "compile the object again",
  });
}

/** Gives each atom of a section the references that lie in it. */
function distribute(section: UnitSection, raw: RawUnit): void {
  const relocations = raw.relocations.get(section.index);
  if (relocations === undefined) return;
  const adjust = adjustments(section, relocations);
  for (const [i, relocation] of relocations.entries()) {
    const atom = atomAt(section, relocation.offset);
    const made = reference(relocation, adjust[i] as number, atom.start, raw.name);
    atom.references.push(made);
    clearField(atom, made);
  }
}

/** The relocated bytes of an atom are zero: what was there after a cut came from the relocation. */
function clearField(atom: Atom, { offset, type }: Reference): void {
  const size = atom.section.arch.elf.relocationSize(type) ?? 0;
  for (let i = offset; i < offset + size; i++) {
    if (atom.data[i] === 0 || atom.data[i] === undefined) continue;
    atom.data = Buffer.from(atom.data);
    atom.data.fill(0, offset, offset + size);
    return;
  }
}

/**
 * For each relocation what lies between its field and the address that its
 * operand counts from: what is usual for its type, or more where an immediate follows.
 */
function adjustments(section: UnitSection, relocations: readonly RawReference[]): Int8Array {
  const { code, elf } = section.arch;
  const adjust = new Int8Array(relocations.length);
  if ((section.flags & SHF.EXECINSTR) === 0) return adjust;
  let at = 0;
  for (const [i, relocation] of relocations.entries()) {
    if (!elf.isPcRelative(relocation.type)) continue;
    adjust[i] = code.usualReach(relocation.type);
    if (!code.mayHaveMore(section.data, relocation.offset)) continue;
    if (at > relocation.offset || at < section.atoms.length)
      at = Math.max(at, atomAt(section, relocation.offset).start);
    while (at <= relocation.offset) {
      const instruction = code.decode(section.data, at);
      if (instruction === undefined) break;
      at += instruction.length;
    }
    if (at > relocation.offset && at - relocation.offset <= 12) adjust[i] = at - relocation.offset;
  }
  return adjust;
}
