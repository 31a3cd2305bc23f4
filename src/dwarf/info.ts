/**
 * Debugging information entries of a relocatable file, as far as types need
 * them. Source: DWARF 5, 7.5 (entries), 7.5.6 (forms).
 */

import type { ElfFile } from "../elf/model.ts";
import { relocationSections, relocationsOf } from "../elf/relocations.ts";
import { type Words, wordsOf } from "../elf/words.ts";
import { Cursor } from "./cursor.ts";
import { unsupported } from "./fault.ts";

/** DW_TAG_* */
export const TAG = {
  ARRAY: 0x01,
  CLASS: 0x02,
  ENUMERATION: 0x04,
  FORMAL_PARAMETER: 0x05,
  MEMBER: 0x0d,
  POINTER: 0x0f,
  REFERENCE: 0x10,
  STRUCTURE: 0x13,
  SUBROUTINE_TYPE: 0x15,
  TYPEDEF: 0x16,
  UNION: 0x17,
  UNSPECIFIED_PARAMETERS: 0x18,
  INHERITANCE: 0x1c,
  SUBRANGE: 0x21,
  BASE: 0x24,
  CONST: 0x26,
  ENUMERATOR: 0x28,
  SUBPROGRAM: 0x2e,
  VARIABLE: 0x34,
  VOLATILE: 0x35,
  RESTRICT: 0x37,
  NAMESPACE: 0x39,
  RVALUE_REFERENCE: 0x42,
  ATOMIC: 0x47,
} as const;

/** DW_AT_*, those that are read. */
export const AT = {
  NAME: 0x03,
  BYTE_SIZE: 0x0b,
  BIT_OFFSET: 0x0c,
  CONST_VALUE: 0x1c,
  UPPER_BOUND: 0x2f,
  COUNT: 0x37,
  MEMBER_LOCATION: 0x38,
  DECLARATION: 0x3c,
  ENCODING: 0x3e,
  EXTERNAL: 0x3f,
  TYPE: 0x49,
  VIRTUALITY: 0x4c,
  VTABLE_ELEM_LOCATION: 0x4d,
  BIT_SIZE: 0x0d,
  DATA_BIT_OFFSET: 0x6b,
  LINKAGE_NAME: 0x6e,
  ALIGNMENT: 0x88,
} as const;

const READ: ReadonlySet<number> = new Set(Object.values(AT));

/** A reference is the offset of the entry in .debug_info; a block is its bytes, hexadecimal. */
export type Value = number | string;

/**
 * One debugging information entry. `offset` is in bytes from the start of .debug_info,
 * and is what references to it say.
 */
export interface Entry {
  readonly offset: number;
  /** DW_TAG_* */
  readonly tag: number;
  /** By DW_AT_*. */
  readonly attributes: ReadonlyMap<number, Value>;
  readonly children: readonly Entry[];
}

interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly { readonly name: number; readonly form: number; readonly constant: number }[];
}

const DEEPEST = 256;

/** Bytes of a list's length, version and padding, before its first offset. */
const STRING_OFFSETS_HEADER = 8;

interface StringOffsets {
  readonly data: Buffer;
  readonly fields: ReadonlyMap<number, number>;
}

function stringOffsets(file: ElfFile, words: Words): StringOffsets {
  const index = file.sections.findIndex(({ name }) => name === ".debug_str_offsets");
  const data = file.sections[index]?.data ?? Buffer.alloc(0);
  if (data.length < STRING_OFFSETS_HEADER || words.u32(data, 0) + 4 !== data.length)
    throw unsupported(".debug_str_offsets", 0, "several lists of strings");
  return { data, fields: fieldsOf(file, index) };
}

/** What is to be written to the fields of a section, by their offsets. */
function fieldsOf(file: ElfFile, index: number): Map<number, number> {
  const fields = new Map<number, number>();
  const tables = [...relocationSections(file)].filter(([target]) => target === index).flatMap(([, each]) => each);
  for (const table of tables)
    for (const { offset, symbol, addend } of relocationsOf(file, table))
      fields.set(offset, Number((file.symbols[symbol]?.value ?? 0n) + addend));
  return fields;
}

/** The top entries of all compile units. Throws `DWARF_CORRUPT`, `DWARF_UNSUPPORTED`. */
export function readInfo(file: ElfFile): Entry[] {
  const section = file.sections.find(({ name, size }) => name === ".debug_info" && size > 0);
  return section === undefined ? [] : new InfoReader(file, section.index).units();
}

/**
 * Where a bit field lies, in bits from the start of its struct; undefined for a member that is none. clang, when
 * it writes for gdb, counts from the highest bit of a unit of storage (DWARF 3, 5.5.6), whatever the version; so read for little-endian machines.
 */
export function bitOffsetOf({ attributes }: Entry): number | undefined {
  const at = (name: number): number | undefined => {
    const value = attributes.get(name);
    return typeof value === "number" ? value : undefined;
  };
  const [size, from, storage] = [AT.BIT_SIZE, AT.BIT_OFFSET, AT.BYTE_SIZE].map(at);
  if (size === undefined) return undefined;
  const location = 8 * (at(AT.MEMBER_LOCATION) ?? 0);
  if (from === undefined) return at(AT.DATA_BIT_OFFSET) ?? location;
  if (storage === undefined) throw unsupported(".debug_info", undefined, "a bit field in storage of no size");
  return location + 8 * storage - from - size;
}

class InfoReader {
  readonly #file: ElfFile;
  readonly #data: Buffer;
  readonly #words: Words;
  /** What is to be written to a field, by its offset. */
  readonly #fields: ReadonlyMap<number, number>;
  #strings: StringOffsets | undefined;
  readonly #cursor: Cursor;
  readonly #tables = new Map<number, ReadonlyMap<number, Abbreviation>>();

  constructor(file: ElfFile, index: number) {
    this.#file = file;
    this.#words = wordsOf(file.header.endian);
    this.#data = (file.sections[index] as ElfFile["sections"][number]).data;
    this.#fields = fieldsOf(file, index);
    this.#cursor = new Cursor(
      { name: ".debug_info", data: this.#data, words: this.#words, address: 0 },
      0,
      this.#data.length,
    );
  }

  units(): Entry[] {
    const cursor = this.#cursor;
    const all: Entry[] = [];
    while (!cursor.done) {
      const start = cursor.at;
      const length = cursor.u32();
      if (length >= 0xfffffff0) throw unsupported(".debug_info", start, "64-bit DWARF");
      const end = cursor.at + length;
      const version = cursor.u16();
      if (version !== 4 && version !== 5) throw unsupported(".debug_info", start, `DWARF ${version}`);
      if (version === 5 && ![1, 4].includes(cursor.u8())) throw unsupported(".debug_info", start, "a unit of types");
      if (version === 5) cursor.u8();
      const table = this.#abbreviations(this.#field(cursor.at, cursor.u32()));
      if (version === 4) cursor.u8();
      all.push(...this.#siblings(table, start, end, 0));
      cursor.at = end;
    }
    return all;
  }

  #siblings(table: ReadonlyMap<number, Abbreviation>, unit: number, end: number, depth: number): Entry[] {
    const found: Entry[] = [];
    const cursor = this.#cursor;
    if (depth > DEEPEST) throw unsupported(".debug_info", cursor.at, "entries nested so deep");
    while (cursor.at < end) {
      const offset = cursor.at;
      const code = cursor.unsigned();
      if (code === 0) break;
      const abbreviation = table.get(code);
      if (abbreviation === undefined) throw unsupported(".debug_info", offset, "an entry of no known shape");
      const attributes = new Map<number, Value>();
      for (const { name, form, constant } of abbreviation.attributes) {
        const value = this.#value(form, constant, unit);
        if (value !== undefined && READ.has(name)) attributes.set(name, value);
      }
      const children = abbreviation.hasChildren ? this.#siblings(table, unit, end, depth + 1) : [];
      found.push({ offset, tag: abbreviation.tag, attributes, children });
    }
    return found;
  }

  #field(at: number, raw: number): number {
    return this.#fields.get(at) ?? raw;
  }

  /** undefined for what types are not made of. */
  #value(form: number, constant: number, unit: number): Value | undefined {
    const cursor = this.#cursor;
    const skipped = (bytes: number): undefined => {
      cursor.skip(bytes);
      return undefined;
    };
    switch (form) {
      case 0x0b:
        return cursor.u8();
      case 0x05:
        return cursor.u16();
      case 0x06:
        return this.#field(cursor.at, cursor.u32());
      case 0x07:
        return String(cursor.u64());
      case 0x0d:
        return this.#leb(true);
      case 0x0f:
        return this.#leb(false);
      case 0x21:
        return constant;
      case 0x19:
        return 1;
      case 0x0c:
        return cursor.u8();
      case 0x08:
        return cursor.text();
      case 0x0e:
        return this.#string(".debug_str", this.#field(cursor.at, cursor.u32()));
      case 0x1a:
        return this.#indexed(cursor.unsigned());
      case 0x25:
        return this.#indexed(cursor.u8());
      case 0x26:
        return this.#indexed(cursor.u16());
      case 0x27:
        return this.#indexed(cursor.u8() + 2 ** 8 * cursor.u16());
      case 0x28:
        return this.#indexed(cursor.u32());
      case 0x1f:
        return this.#string(".debug_line_str", this.#field(cursor.at, cursor.u32()));
      case 0x11:
        return unit + cursor.u8();
      case 0x12:
        return unit + cursor.u16();
      case 0x13:
        return unit + cursor.u32();
      case 0x15:
        return unit + cursor.unsigned();
      case 0x10:
        return this.#field(cursor.at, cursor.u32());
      case 0x18:
      case 0x09:
        return this.#block(cursor.unsigned());
      case 0x0a:
        return this.#block(cursor.u8());
      case 0x03:
        return this.#block(cursor.u16());
      case 0x04:
        return this.#block(cursor.u32());
      case 0x1e:
        return this.#block(16);
      case 0x01:
      case 0x20:
        return skipped(8);
      case 0x17:
        return skipped(4);
      case 0x29:
        return skipped(1);
      case 0x2a:
        return skipped(2);
      case 0x2b:
        return skipped(3);
      case 0x2c:
        return skipped(4);
      case 0x1b:
      case 0x22:
      case 0x23:
        cursor.unsigned();
        return undefined;
      default:
        throw unsupported(".debug_info", cursor.at, `a field of form 0x${form.toString(16)}`);
    }
  }

  #block(size: number): string {
    const at = this.#cursor.skip(size);
    return this.#data.toString("hex", at, at + size);
  }

  /** Of any size: what is too large for a number is text. */
  #leb(isSigned: boolean): Value {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#cursor.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte >= 0x80 && shift < 70n) continue;
      if (isSigned && (byte & 0x40) !== 0) value -= 1n << (shift + 7n);
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    }
  }

  /** By its number in .debug_str_offsets, of which a relocatable file has one list. */
  #indexed(index: number): string {
    this.#strings ??= stringOffsets(this.#file, this.#words);
    const at = STRING_OFFSETS_HEADER + 4 * index;
    const { data, fields } = this.#strings;
    const cursor = new Cursor({ name: ".debug_str_offsets", data, words: this.#words, address: 0 }, at, data.length);
    return this.#string(".debug_str", fields.get(at) ?? cursor.u32());
  }

  #string(section: string, at: number): string {
    const data = this.#file.sections.find(({ name }) => name === section)?.data ?? Buffer.alloc(0);
    return new Cursor({ name: section, data, words: this.#words, address: 0 }, at, data.length).text();
  }

  #abbreviations(at: number): ReadonlyMap<number, Abbreviation> {
    const known = this.#tables.get(at);
    if (known !== undefined) return known;
    const data = this.#file.sections.find(({ name }) => name === ".debug_abbrev")?.data ?? Buffer.alloc(0);
    const cursor = new Cursor({ name: ".debug_abbrev", data, words: this.#words, address: 0 }, at, data.length);
    const table = new Map<number, Abbreviation>();
    for (let code = cursor.unsigned(); code !== 0; code = cursor.unsigned()) {
      const tag = cursor.unsigned();
      const hasChildren = cursor.u8() === 1;
      const attributes: { name: number; form: number; constant: number }[] = [];
      for (;;) {
        const name = cursor.unsigned();
        const form = cursor.unsigned();
        const constant = form === 0x21 ? cursor.signed() : 0;
        if (name === 0 && form === 0) break;
        attributes.push({ name, form, constant });
      }
      table.set(code, { tag, hasChildren, attributes });
    }
    this.#tables.set(at, table);
    return table;
  }
}
