/** A program's livepatch as it is read from its file: checked in whole before anything is touched. */
import { createHash } from "node:crypto";
import { ET, SHF, SHN, SHT, STB, STT, STV } from "../../elf/constants.ts";
import { isElf } from "../../elf/identity.ts";
import type { ElfFile, ElfSection, ElfSymbol } from "../../elf/model.ts";
import { relocationsOf } from "../../elf/relocations.ts";
import { SutureError } from "../../lib/error.ts";
import { corrupt, readSealed } from "../../patch/digest.ts";
import { isForProgram, metadataJson } from "../../patch/metadata-section.ts";
import type { CallbackName, ProgramMetadata, ProgramObjectRecord } from "../../patch/program-metadata.ts";
import { readProgramMetadata } from "../../patch/read-program-metadata.ts";
import { native, PAGE } from "../os/native.ts";

/** What a relocation refers to. */
export type LivepatchSymbol =
  /** Of the livepatch itself: `offset` bytes into one of the object's sections. */
  | { readonly kind: "own"; readonly section: number; readonly offset: number }
  /** Of the patched object, at an address of the object's own address space; `isDirect`: bound inside of it. */
  | { readonly kind: "object"; readonly name: string; readonly address: number; readonly isDirect: boolean }
  /** Thread-local, of the patched object. */
  | { readonly kind: "thread"; readonly name: string; readonly offset: number }
  /** To be looked up in what the process has loaded; one that is weak and nowhere is 0. */
  | { readonly kind: "import"; readonly name: string; readonly isWeak: boolean }
  | { readonly kind: "absolute"; readonly value: number };

/** A field of the new code or data that is filled in when its object's place in the process is known. */
export interface LivepatchRelocation {
  /** Index of the section that it changes. */
  readonly section: number;
  /** Within that section. */
  readonly offset: number;
  /** R_*, of the machine. */
  readonly type: number;
  readonly symbol: LivepatchSymbol;
  readonly addend: number;
}

/** A place in the livepatch: index of a section, and offset in it. */
export interface Place {
  readonly section: number;
  readonly offset: number;
}

/** Where a new function is entered, and all of its code: the compiler may have put some apart (`.cold`, `.part`). */
export interface NewFunction {
  readonly entry: Place;
  readonly pieces: readonly (Place & { readonly size: number })[];
}

/** The livepatch's part for one object, which can be placed without the other parts. */
export interface LivepatchObject {
  readonly record: ProgramObjectRecord;
  readonly sections: readonly ElfSection[];
  readonly relocations: readonly LivepatchRelocation[];
  /** Each new function, in the order of `record.funcs`. */
  readonly funcs: readonly NewFunction[];
  readonly callbacks: { readonly [Name in CallbackName]?: Place };
}

/** Whole and consistent with its metadata; the same for all processes that it is loaded into. */
export interface ProgramLivepatch {
  /** Where it was read from. */
  readonly path: string;
  readonly name: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string;
  readonly metadata: ProgramMetadata;
  readonly objects: readonly LivepatchObject[];
}

/** More than this is brought into no process: a livepatch has some kilobytes. */
const MAX_BYTES = 64 << 20;

/**
 * Reads a livepatch file. Throws `NOT_A_LIVEPATCH` for a file that is no
 * livepatch or is one for a kernel, `NEWER_FORMAT` for one of a newer suture, `LIVEPATCH_CORRUPT` for one that is damaged
 * or contradicts itself; in time and memory in proportion to its size.
 */
export function readProgramLivepatch(data: Buffer, path: string): ProgramLivepatch {
  const file = readable(data, path);
  const metadata = metadataOf(file, path);
  const { machine, words, name: arch } = native();
  if (file.header.type !== ET.REL || file.header.machine !== machine || file.header.endian !== words.endian)
    throw corrupt(path, `it is no relocatable file for ${arch}`);
  const owner = ownersOf(file, metadata, path);
  const objects = metadata.objects.map((record) => objectOf(record, file, owner, path));
  return { path, name: metadata.name, digest: createHash("sha256").update(data).digest("hex"), metadata, objects };
}

function readable(data: Buffer, path: string): ElfFile {
  try {
    return readSealed(data, path);
  } catch (error) {
    if (!(error instanceof SutureError) || error.code === "LIVEPATCH_CORRUPT") throw error;
    if (isElf(data)) throw corrupt(path, error.message, error.where, error);
    throw new SutureError("NOT_A_LIVEPATCH", "this is no livepatch", {
      where: path,
      hint: "give a file that `suture build` wrote",
      cause: error,
    });
  }
}

function metadataOf(file: ElfFile, path: string): ProgramMetadata {
  return damageIsCorruption(path, () => {
    if (isForProgram(metadataJson(file))) return readProgramMetadata(file);
    throw new SutureError("NOT_A_LIVEPATCH", "this livepatch is for a kernel, not for a program", {
      where: path,
      hint: "see what it is with: suture explain",
    });
  });
}

/** Of a whole file. */
const KEPT = new Set(["NOT_A_LIVEPATCH", "NEWER_FORMAT"]);

/** What the readers below say of a damaged file becomes one code. */
function damageIsCorruption<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SutureError) || KEPT.has(error.code)) throw error;
    throw corrupt(path, error.message, error.where, error);
  }
}

/** The object that each section with contents belongs to, by section index. */
function ownersOf(file: ElfFile, metadata: ProgramMetadata, path: string): ReadonlyMap<number, ProgramObjectRecord> {
  const byName = new Map<string, ProgramObjectRecord>();
  for (const object of metadata.objects) {
    for (const section of object.sections) {
      if (byName.has(section)) throw corrupt(path, `the section ${section} belongs to two objects`);
      byName.set(section, object);
    }
  }
  const owner = new Map<number, ProgramObjectRecord>();
  const seen = new Set<string>();
  let total = 0;
  for (const section of file.sections) {
    const { index, name, flags, type, size, data, alignment } = section;
    if ((flags & SHF.ALLOC) === 0 || type === SHT.RELA) continue;
    const object = byName.get(name);
    const where = `${path}: section ${name}`;
    if (object === undefined) throw corrupt(path, "a section belongs to no object", where);
    if (seen.has(name)) throw corrupt(path, "two sections have one name", where);
    if ((flags & SHF.TLS) !== 0) throw corrupt(path, "it brings thread-local variables", where);
    if ((flags & SHF.WRITE) !== 0 && (flags & SHF.EXECINSTR) !== 0)
      throw corrupt(path, "a section is both written and executed", where);
    if ((flags & SHF.COMPRESSED) !== 0 || (type !== SHT.NOBITS && data.length !== size))
      throw corrupt(path, "a section's contents are not what its size says", where);
    if (alignment > PAGE || (alignment & (alignment - 1)) !== 0)
      throw corrupt(path, `a section has the alignment ${alignment}`, where);
    total += size;
    if (total > MAX_BYTES) throw corrupt(path, `it has more than ${MAX_BYTES} bytes`, where);
    owner.set(index, object);
    seen.add(name);
  }
  for (const name of byName.keys()) if (!seen.has(name)) throw corrupt(path, `the section ${name} is missing`);
  return owner;
}

function objectOf(
  record: ProgramObjectRecord,
  file: ElfFile,
  owner: ReadonlyMap<number, ProgramObjectRecord>,
  path: string,
): LivepatchObject {
  const sections = file.sections.filter(({ index }) => owner.get(index) === record);
  const symbolOf = symbolReader(record, file, owner, path);
  const relocations = file.sections
    .filter(({ type, info }) => type === SHT.RELA && owner.get(info) === record)
    .flatMap((table) => {
      const target = file.sections[table.info] as ElfSection;
      const isLivepatch = (table.flags & SHF.RELA_LIVEPATCH) !== 0;
      const where = `${path}: section ${table.name}`;
      if (isLivepatch && table.name !== `.klp.rela.${record.name}.${target.name}`)
        throw corrupt(path, `livepatch relocations of ${record.name} for ${target.name} are called otherwise`, where);
      return damageIsCorruption(path, () => relocationsOf(file, table)).map(({ offset, type, symbol, addend }) => {
        const size = native().relocationSize(type);
        if (size === undefined) throw corrupt(path, `a relocation of type ${type}, which no compiler makes`, where);
        if (target.type === SHT.NOBITS || offset + size > target.size)
          throw corrupt(path, "a relocation lies outside its section", where);
        const value = Number(addend);
        if (!Number.isSafeInteger(value)) throw corrupt(path, "a relocation's addend is out of range", where);
        return { section: target.index, offset, type, symbol: symbolOf(symbol, where), addend: value };
      });
    });
  const places = new Map(file.symbols.filter(isEntry).map((symbol) => [symbol.name, symbol]));
  const entry = (name: string): Place => {
    const symbol = places.get(name);
    const section = symbol?.place.kind === "section" ? symbol.place.section : -1;
    const { flags = 0, size = 0 } = owner.get(section) === record ? (file.sections[section] ?? {}) : {};
    const offset = Number(symbol?.value ?? 0n);
    if ((flags & SHF.EXECINSTR) === 0 || offset >= size)
      throw corrupt(path, `${name} is no function of its part for ${record.name}`);
    return { section, offset };
  };
  const isOwn = (symbol: ElfSymbol): boolean =>
    symbol.type === STT.FUNC && symbol.place.kind === "section" && owner.get(symbol.place.section) === record;
  const own = file.symbols.filter(isOwn);
  const callbacks = Object.entries(record.callbacks).flatMap(([kind, name]) =>
    name === undefined ? [] : [[kind, entry(name)] as const],
  );
  return {
    record,
    sections,
    relocations,
    funcs: record.funcs.map(({ symbol, name, size }) => {
      const at = entry(symbol);
      const apart = own.filter((each) => each.name.startsWith(`${name}.`)).map(pieceOf);
      return { entry: at, pieces: [{ ...at, size: size.patched }, ...apart] };
    }),
    callbacks: Object.fromEntries(callbacks),
  };
}

function pieceOf({ place, value, size }: ElfSymbol): NewFunction["pieces"][number] {
  return { section: place.kind === "section" ? place.section : 0, offset: Number(value), size: Number(size) };
}

function isEntry({ type, binding }: ElfSymbol): boolean {
  return type === STT.FUNC && binding === STB.GLOBAL;
}

const KLP_SYMBOL = /^\.klp\.sym\.(.+),(\d+)$/;

function symbolReader(
  record: ProgramObjectRecord,
  file: ElfFile,
  owner: ReadonlyMap<number, ProgramObjectRecord>,
  path: string,
): (index: number, where: string) => LivepatchSymbol {
  const prefix = `${record.name}.`;
  const read = (index: number, where: string): LivepatchSymbol => {
    const symbol = file.symbols[index];
    if (index === 0 || symbol === undefined) return { kind: "absolute", value: 0 };
    const { place, value, type, binding, visibility } = symbol;
    if (value < 0n || value > BigInt(native().load.addressEnd))
      throw corrupt(path, `the value of ${symbol.name} is out of range`, where);
    if (place.kind === "section") {
      if (owner.get(place.section) !== record)
        throw corrupt(path, `${symbol.name} is not part of ${record.name}`, where);
      return { kind: "own", section: place.section, offset: Number(value) };
    }
    if (place.kind === "absolute") return { kind: "absolute", value: Number(value) };
    const [, body] = KLP_SYMBOL.exec(symbol.name) ?? [];
    if (body === undefined) {
      // What is weak and nowhere is 0.
      if (place.kind === "undefined" && binding === STB.WEAK) return { kind: "absolute", value: 0 };
      throw corrupt(path, `${symbol.name} is nowhere`, where);
    }
    if (!body.startsWith(prefix) || body.length === prefix.length)
      throw corrupt(path, `${symbol.name} does not belong to ${record.name}`, where);
    const name = body.slice(prefix.length);
    if (place.kind === "undefined") return { kind: "import", name, isWeak: binding === STB.WEAK };
    if (place.kind !== "reserved" || place.value !== SHN.LIVEPATCH)
      throw corrupt(path, `${symbol.name} is in no place that a livepatch symbol has`, where);
    return type === STT.TLS
      ? { kind: "thread", name, offset: Number(value) }
      : { kind: "object", name, address: Number(value), isDirect: visibility === STV.PROTECTED };
  };
  const known = new Map<number, LivepatchSymbol>();
  return (index, where) => {
    const symbol = known.get(index) ?? read(index, where);
    known.set(index, symbol);
    return symbol;
  };
}
