/** Writes BTF: what a compiler that has no BTF told of its types in another way. */
import type { Words } from "../elf/words.ts";
import { corrupt } from "./fault.ts";
import { ENUM64, KINDS } from "./records.ts";
import type { BtfType } from "./types.ts";

/** What is written; all else a unit's types are not made of. */
export type WrittenType = Exclude<
  BtfType,
  { readonly kind: "void" | "function" | "section" | "declaration tag" | "type tag" }
>;

const HEADER = 24;
const MAGIC = 0xeb9f;
const MOST_ENTRIES = 0xffff;
/** Of a member in a struct that has bit fields. */
const MOST_BITS = 2 ** 24;
const SIGNED = 0x0100_0000;

/** @param types the first has the id 1. Throws `BTF_CORRUPT` for what the format cannot hold. */
export function writeBtf(types: readonly WrittenType[], bytes: Words, name: string): Buffer {
  const strings = new Strings();
  const records = Buffer.concat(types.map((type) => recordOf(type, strings, { bytes, name })));
  const header = Buffer.alloc(HEADER);
  bytes.setU16(header, 0, MAGIC);
  header[2] = 1;
  bytes.setU32(header, 4, HEADER);
  const text = strings.all();
  for (const [at, value] of [
    [12, records.length],
    [16, records.length],
    [20, text.length],
  ] as const)
    bytes.setU32(header, at, value);
  return Buffer.concat([header, records, text]);
}

/** Each string once. */
class Strings {
  readonly #known = new Map<string, number>([["", 0]]);
  readonly #all: string[] = [""];
  #size = 1;

  at(text: string): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const at = this.#size;
    this.#known.set(text, at);
    this.#all.push(text);
    this.#size += Buffer.byteLength(text) + 1;
    return at;
  }

  all(): Buffer {
    return Buffer.from(`${this.#all.join("\0")}\0`);
  }
}

/** The third word, and what follows the three. */
interface Rest {
  readonly third: number;
  readonly words?: readonly number[];
  /** How many entries there are. */
  readonly entries?: number;
  readonly flag?: boolean;
  readonly number?: number;
}

function recordOf(type: WrittenType, strings: Strings, { bytes, name }: { bytes: Words; name: string }): Buffer {
  const {
    third,
    words = [],
    entries = 0,
    flag = false,
    number = KINDS.indexOf(type.kind),
  } = restOf(type, strings, name);
  if (entries > MOST_ENTRIES) throw corrupt(name, `${type.kind} ${type.name} has ${entries} entries`);
  const info = number * 2 ** 24 + entries + (flag ? 2 ** 31 : 0);
  const all = [strings.at(type.name), info, third, ...words];
  const record = Buffer.alloc(4 * all.length);
  for (const [i, word] of all.entries()) bytes.setU32(record, 4 * i, word >>> 0);
  return record;
}

function restOf(type: WrittenType, strings: Strings, name: string): Rest {
  switch (type.kind) {
    case "int":
      return { third: type.size, words: [type.bits + (type.signed ? SIGNED : 0)] };
    case "float":
      return { third: type.size };
    case "array":
      // The type of an index means nothing; the element's is one that is there.
      return { third: 0, words: [type.element, type.element, type.length] };
    case "struct":
    case "union": {
      const flag = type.members.some(({ bitFieldSize }) => bitFieldSize > 0);
      const words = type.members.flatMap(({ name: member, type: of, bitOffset, bitFieldSize }) => {
        if (bitOffset >= (flag ? MOST_BITS : 2 ** 32)) throw corrupt(name, `${type.kind} ${type.name} is too large`);
        return [strings.at(member), of, flag ? bitFieldSize * 2 ** 24 + bitOffset : bitOffset];
      });
      return { third: type.size, words, entries: type.members.length, flag };
    }
    case "enum":
      return { third: type.size, ...enumerators(type.values, strings) };
    case "forward":
      return { third: 0, flag: type.of === "union" };
    case "prototype": {
      const words = type.parameters.flatMap(({ name: parameter, type: of }) => [strings.at(parameter), of]);
      return { third: type.result, words, entries: type.parameters.length };
    }
    case "variable":
      return { third: type.type, words: [0] };
    default:
      return { third: type.target };
  }
}

function enumerators(values: readonly { readonly name: string; readonly value: bigint }[], strings: Strings) {
  const flag = values.some(({ value }) => value < 0n);
  const isWide = values.some(({ value }) => value >= 1n << (flag ? 31n : 32n) || value < -(1n << 31n));
  const words = values.flatMap(({ name, value }) => {
    const [low, high] = [Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n))];
    return isWide ? [strings.at(name), low, high] : [strings.at(name), low];
  });
  return { words, entries: values.length, flag, ...(isWide ? { number: ENUM64 } : {}) };
}
