/** One type's record in BTF: three words, then what its kind adds to them. */
import type { Words } from "../elf/words.ts";
import type { Btf, BtfKind, BtfType, TypeId } from "./types.ts";

/** By BTF_KIND_*. */
export const KINDS: readonly BtfKind[] = [
  "void",
  "int",
  "pointer",
  "array",
  "struct",
  "union",
  "enum",
  "forward",
  "typedef",
  "volatile",
  "const",
  "restrict",
  "function",
  "prototype",
  "variable",
  "section",
  "float",
  "declaration tag",
  "type tag",
  "enum",
];
/** BTF_KIND_ENUM64 */
export const ENUM64 = 19;

/** Bytes after the three words: fixed, and for each of the vlen entries. */
const EXTRA: Readonly<Record<BtfKind, readonly [fixed: number, each: number]>> = {
  void: [0, 0],
  int: [4, 0],
  pointer: [0, 0],
  array: [12, 0],
  struct: [0, 12],
  union: [0, 12],
  enum: [0, 8],
  forward: [0, 0],
  typedef: [0, 0],
  volatile: [0, 0],
  const: [0, 0],
  restrict: [0, 0],
  function: [0, 0],
  prototype: [0, 8],
  variable: [4, 0],
  section: [0, 12],
  float: [0, 0],
  "declaration tag": [4, 0],
  "type tag": [0, 0],
};
const FIXED = KINDS.map((kind) => EXTRA[kind][0]);
const EACH = KINDS.map((kind, i) => (i === ENUM64 ? 12 : EXTRA[kind][1]));

/** Kinds whose third word is the id of a type. */
const TARGETS = new Set([2, 8, 9, 10, 11, 12, 13, 14, 17, 18]);

/** Where in an entry, or in what is fixed, a string's offset and a type's id are. */
const USES: Readonly<Record<BtfKind, readonly [string?: number | undefined, type?: number | undefined]>> = {
  void: [],
  int: [],
  pointer: [],
  array: [undefined, 0],
  struct: [0, 4],
  union: [0, 4],
  enum: [0],
  forward: [],
  typedef: [],
  volatile: [],
  const: [],
  restrict: [],
  function: [],
  prototype: [0, 4],
  variable: [],
  section: [undefined, 0],
  float: [],
  "declaration tag": [],
  "type tag": [],
};

/** The record's bytes, from its second word; undefined for an unknown kind. */
export function recordSize(info: number): number | undefined {
  const kind = (info >>> 24) & 0x1f;
  if (kind === 0 || kind >= KINDS.length) return undefined;
  return 12 + (FIXED[kind] as number) + (info & 0xffff) * (EACH[kind] as number);
}

/** The highest offset of a string and the highest id of a type in the record at `at`. */
export function usesOf(data: Buffer, at: number, bytes: Words): { string: number; type: number } {
  const info = bytes.u32(data, at + 4);
  const number = (info >>> 24) & 0x1f;
  const [strings, types] = USES[KINDS[number] as BtfKind];
  let string = bytes.u32(data, at);
  let type = TARGETS.has(number) ? bytes.u32(data, at + 8) : 0;
  const each = EACH[number] as number;
  const end = at + 12 + (FIXED[number] as number) + (info & 0xffff) * each;
  for (let entry = at + 12; entry < end; entry += each || end) {
    if (strings !== undefined) string = Math.max(string, bytes.u32(data, entry + strings));
    if (types !== undefined) type = Math.max(type, bytes.u32(data, entry + types));
  }
  return { string, type };
}

/** The type whose record starts at `at`, within `sections.types`. Other types that it names must exist. */
export function decodeType(btf: Btf, at: number, broken: () => Error): BtfType {
  const { types: data, bytes } = btf.sections;
  const info = bytes.u32(data, at + 4);
  const number = (info >>> 24) & 0x1f;
  const kind = KINDS[number] as BtfKind;
  const vlen = info & 0xffff;
  const flag = info >>> 31 === 1;
  const third = bytes.u32(data, at + 8);
  const body = at + 12;
  const name = btf.string(bytes.u32(data, at));

  const id = (value: number): TypeId => {
    if (value >= btf.count) throw broken();
    return value as TypeId;
  };
  const entries = <T>(each: number, read: (at: number) => T): T[] =>
    Array.from({ length: vlen }, (_, i) => read(body + each * i));

  switch (kind) {
    case "void":
      throw broken();
    case "int": {
      const word = bytes.u32(data, body);
      const signed = (word & 0x0100_0000) !== 0;
      const bitOffset = (word >>> 16) & 0xff;
      return { kind, name, size: third, bits: word & 0xff, bitOffset, signed };
    }
    case "float":
      return { kind, name, size: third };
    case "pointer":
    case "const":
    case "volatile":
    case "restrict":
    case "typedef":
    case "type tag":
      return { kind, name, target: id(third) };
    case "array":
      return {
        kind,
        name: "",
        element: id(bytes.u32(data, body)),
        length: bytes.u32(data, body + 8),
      };
    case "struct":
    case "union": {
      const members = entries(12, (entry) => {
        const place = bytes.u32(data, entry + 8);
        return {
          name: btf.string(bytes.u32(data, entry)),
          type: id(bytes.u32(data, entry + 4)),
          // With the flag, the upper byte is the size of a bit field.
          bitOffset: flag ? place & 0xff_ffff : place,
          bitFieldSize: flag ? place >>> 24 : 0,
        };
      });
      return { kind, name, size: third, members };
    }
    case "enum": {
      const wide = number === ENUM64;
      const values = entries(wide ? 12 : 8, (entry) => {
        const low = bytes.u32(data, entry + 4);
        const value = wide
          ? (BigInt(bytes.u32(data, entry + 8)) << 32n) | BigInt(low)
          : BigInt(flag ? bytes.i32(data, entry + 4) : low);
        return {
          name: btf.string(bytes.u32(data, entry)),
          value: wide && flag ? BigInt.asIntN(64, value) : value,
        };
      });
      return { kind, name, size: third, values };
    }
    case "forward":
      return { kind, name, of: flag ? "union" : "struct" };
    case "function":
      return { kind, name, prototype: id(third) };
    case "prototype": {
      const parameters = entries(8, (entry) => ({
        name: btf.string(bytes.u32(data, entry)),
        type: id(bytes.u32(data, entry + 4)),
      }));
      return { kind, name: "", result: id(third), parameters };
    }
    case "variable":
      return { kind, name, type: id(third) };
    case "section": {
      const variables = entries(12, (entry) => ({
        type: id(bytes.u32(data, entry)),
        offset: bytes.u32(data, entry + 4),
        size: bytes.u32(data, entry + 8),
      }));
      return { kind, name, variables };
    }
    case "declaration tag":
      return { kind, name, target: id(third), component: bytes.i32(data, body) };
  }
}
