/**
 * The types of a unit whose compiler tells of them by DWARF alone, as clang for any
 * machine but BPF's, in the form of BTF: what gcc's `-gbtf` writes, for the same questions.
 */

import type { BtfMember, TypeId } from "../../btf/types.ts";
import { type WrittenType, writeBtf } from "../../btf/write.ts";
import { AT, bitOffsetOf, type Entry, readInfo, TAG, type Value } from "../../dwarf/info.ts";
import type { ElfFile, ElfSection, SectionIndex } from "../../elf/model.ts";
import { type Words, wordsOf } from "../../elf/words.ts";
import { SutureError } from "../../lib/error.ts";

/** Of all types of a unit, those of headers that it does not use too, as gcc tells of them. */
export const DWARF_TYPES = [
  "-gdwarf-5",
  "-gno-split-dwarf",
  "-gz=none",
  "-fno-debug-types-section",
  "-fno-eliminate-unused-debug-types",
];

/** DW_ATE_*: what is signed, and what is no integer. */
const SIGNED: readonly Value[] = [0x05, 0x06];
const FLOAT = 0x04;
const VOID = 0 as TypeId;

/** With a section .BTF, made from .debug_info, where it has none. Throws what `readInfo` throws, and `DWARF_UNSUPPORTED`. */
export function withTypes(file: ElfFile): ElfFile {
  if (file.sections.some(({ name }) => name === ".BTF")) return file;
  const told = file.sections.find(({ name, size }) => name === ".debug_info" && size > 0);
  if (told === undefined) return file;
  const data = new UnitTypes(readInfo(file), file.name).written(wordsOf(file.header.endian));
  const index = file.sections.length as SectionIndex;
  const section: ElfSection = { ...told, name: ".BTF", index, data, size: data.length };
  return { ...file, sections: [...file.sections, section] };
}

/** The tags that a type has, in the order of their numbers. */
const TYPES: ReadonlySet<number> = new Set([
  TAG.ARRAY,
  TAG.ENUMERATION,
  TAG.POINTER,
  TAG.STRUCTURE,
  TAG.SUBROUTINE_TYPE,
  TAG.TYPEDEF,
  TAG.UNION,
  TAG.BASE,
  TAG.CONST,
  TAG.VOLATILE,
  TAG.RESTRICT,
  TAG.ATOMIC,
]);

class UnitTypes {
  readonly #name: string;
  readonly #types: Entry[] = [];
  readonly #variables: Entry[] = [];
  readonly #ids = new Map<number, TypeId>();
  /** Of arrays of arrays: those of which each dimension but the first is made. */
  readonly #more: WrittenType[] = [];

  constructor(info: readonly Entry[], name: string) {
    this.#name = name;
    this.#collect(info, false);
  }

  /** Variables inside functions are left out, as gcc leaves them out. */
  #collect(entries: readonly Entry[], isInside: boolean): void {
    for (const entry of entries) {
      if (TYPES.has(entry.tag)) {
        this.#types.push(entry);
        this.#ids.set(entry.offset, this.#types.length as TypeId);
      } else if (entry.tag === TAG.VARIABLE && !isInside && entry.attributes.has(AT.NAME)) {
        this.#variables.push(entry);
      }
      this.#collect(entry.children, isInside || entry.tag === TAG.SUBPROGRAM);
    }
  }

  written(words: Words): Buffer {
    const types = this.#types.map((entry) => this.#type(entry));
    const variables = this.#variables.map(
      (entry): WrittenType => ({ kind: "variable", name: nameOf(entry), type: this.#typeOf(entry) }),
    );
    return writeBtf([...types, ...this.#more, ...variables], words, this.#name);
  }

  #type(entry: Entry): WrittenType {
    const { tag, attributes, children } = entry;
    const name = nameOf(entry);
    const size = numberAt(entry, AT.BYTE_SIZE) ?? 0;
    switch (tag) {
      case TAG.BASE: {
        const encoding = attributes.get(AT.ENCODING);
        if (encoding === FLOAT) return { kind: "float", name, size };
        const signed = SIGNED.includes(encoding ?? 0);
        return { kind: "int", name, size, bits: 8 * size, bitOffset: 0, signed };
      }
      case TAG.STRUCTURE:
      case TAG.UNION: {
        const kind = tag === TAG.UNION ? "union" : "struct";
        if (attributes.has(AT.DECLARATION)) return { kind: "forward", name, of: kind };
        const members = children.filter((child) => child.tag === TAG.MEMBER).map((child) => this.#member(child));
        return { kind, name, size, members };
      }
      case TAG.ENUMERATION: {
        // BTF has no word for an enum that is only declared; gcc has it be a struct.
        if (attributes.has(AT.DECLARATION)) return { kind: "forward", name, of: "struct" };
        const values = children
          .filter((child) => child.tag === TAG.ENUMERATOR)
          .map((child) => ({ name: nameOf(child), value: BigInt(child.attributes.get(AT.CONST_VALUE) ?? 0) }));
        return { kind: "enum", name, size, values };
      }
      case TAG.ARRAY:
        return this.#array(entry);
      case TAG.SUBROUTINE_TYPE: {
        const parameters = children.flatMap((child) => {
          if (child.tag === TAG.FORMAL_PARAMETER) return [{ name: "", type: this.#typeOf(child) }];
          return child.tag === TAG.UNSPECIFIED_PARAMETERS ? [{ name: "", type: VOID }] : [];
        });
        return { kind: "prototype", name: "", result: this.#typeOf(entry), parameters };
      }
      case TAG.TYPEDEF:
        return { kind: "typedef", name, target: this.#typeOf(entry) };
      case TAG.POINTER:
        return { kind: "pointer", name: "", target: this.#typeOf(entry) };
      case TAG.CONST:
        return { kind: "const", name: "", target: this.#typeOf(entry) };
      case TAG.RESTRICT:
        return { kind: "restrict", name: "", target: this.#typeOf(entry) };
      default:
        // Atomic accesses are made of it, and nothing else lies there.
        return { kind: "volatile", name: "", target: this.#typeOf(entry) };
    }
  }

  #member(entry: Entry): BtfMember {
    const bitOffset = bitOffsetOf(entry) ?? 8 * (numberAt(entry, AT.MEMBER_LOCATION) ?? 0);
    return {
      name: nameOf(entry),
      type: this.#typeOf(entry),
      bitOffset,
      bitFieldSize: numberAt(entry, AT.BIT_SIZE) ?? 0,
    };
  }

  /** One of several dimensions is an array of arrays. */
  #array(entry: Entry): WrittenType {
    const lengths = entry.children.filter(({ tag }) => tag === TAG.SUBRANGE).map(lengthOf);
    let element = this.#typeOf(entry);
    for (const length of lengths.slice(1).reverse()) {
      this.#more.push({ kind: "array", name: "", element, length });
      element = (this.#types.length + this.#more.length) as TypeId;
    }
    return { kind: "array", name: "", element, length: lengths[0] ?? 0 };
  }

  #typeOf({ attributes, offset }: Entry): TypeId {
    const reference = attributes.get(AT.TYPE);
    if (reference === undefined) return VOID;
    const id = typeof reference === "number" ? this.#ids.get(reference) : undefined;
    if (id !== undefined) return id;
    throw new SutureError(
      "DWARF_UNSUPPORTED",
      "debugging information with a type of a kind that is not known cannot be read",
      {
        where: `${this.#name}: .debug_info, offset 0x${offset.toString(16)}`,
        hint: "compile with clang 14 or later",
      },
    );
  }
}

function nameOf({ attributes }: Entry): string {
  const name = attributes.get(AT.NAME);
  return typeof name === "string" ? name : "";
}

function numberAt({ attributes }: Entry, name: number): number | undefined {
  const value = attributes.get(name);
  return typeof value === "number" ? value : undefined;
}

/** Of an array without a size: 0. */
function lengthOf(range: Entry): number {
  const count = numberAt(range, AT.COUNT);
  const upper = numberAt(range, AT.UPPER_BOUND);
  return count ?? (upper === undefined ? 0 : upper + 1);
}
