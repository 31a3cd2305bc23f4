/**
 * Reads BTF. Opening it walks over the records once, to know where each type
 * is; a type is decoded when it is asked for, since vmlinux has some 130,000
 * of which a few dozen matter.
 */
import { isAscii } from "node:buffer";
import { BIG, LITTLE, type Words } from "../elf/words.ts";
import { corrupt } from "./fault.ts";
import { decodeType, KINDS, recordSize } from "./records.ts";
import type { Btf, BtfKind, BtfType, TypeId } from "./types.ts";

const MAGIC = 0xeb9f;
const HEADER = 24;
/** Longer names than compilers and the kernel deal in. */
const MAX_NAME = 4096;

/**
 * `data` is the content of a section .BTF, or /sys/kernel/btf/<object>; the
 * BTF of a module needs that of its vmlinux as `base`. `name` is for messages.
 *
 * Throws `BTF_CORRUPT`, here or when a type that is broken is looked at.
 */
export function readBtf(data: Buffer, name: string, base?: Btf): Btf {
  const { types, strings, bytes } = openSections(data, name);
  const baseStrings = base?.stringsSize ?? 0;
  if (strings.length > 0 ? strings.at(-1) !== 0 : base === undefined) {
    throw corrupt(name, "the strings do not end with a zero byte");
  }
  if (base === undefined && strings[0] !== 0) {
    throw corrupt(name, "the first string is not empty");
  }

  const first = base?.count ?? 1;
  const starts = recordStarts(types, bytes, name);
  const count = first + starts.length;
  const decoded: (BtfType | undefined)[] = new Array(starts.length);
  let nameOffsets: Uint32Array | undefined;
  const ascii = isAscii(strings);
  let text: string | undefined;

  const string = (offset: number): string => {
    if (offset < baseStrings && base !== undefined) return base.string(offset);
    const start = offset - baseStrings;
    if (start >= strings.length) {
      throw corrupt(name, `string 0x${offset.toString(16)} is outside the strings`);
    }
    // One string for all the names makes each of them a slice of it.
    if (text === undefined && ascii) text = strings.toString("latin1");
    const end = text === undefined ? strings.indexOf(0, start) : text.indexOf("\0", start);
    if (end - start > MAX_NAME) {
      throw corrupt(name, `string 0x${offset.toString(16)} has ${end - start} bytes`);
    }
    return text === undefined ? strings.toString("utf8", start, end) : text.slice(start, end);
  };

  const start = (id: number): number => {
    const at = starts[id - first];
    if (at === undefined) throw corrupt(name, `there is no type ${id}, only ${count} types`);
    return at;
  };

  const btf: Btf = {
    name,
    sections: { bytes, types, strings, starts },
    base,
    count,
    stringsSize: baseStrings + strings.length,
    string,
    type(id) {
      if (id === 0) return { kind: "void", name: "" };
      if (id < first && base !== undefined) return base.type(id);
      const at = start(id);
      const known = decoded[id - first];
      if (known !== undefined) return known;
      const type = decodeType(btf, at, () => corrupt(name, `type ${id} is broken`));
      decoded[id - first] = type;
      return type;
    },
    kind(id) {
      if (id === 0) return "void";
      if (id < first && base !== undefined) return base.kind(id);
      return KINDS[(bytes.u32(types, start(id) + 4) >>> 24) & 0x1f] as BtfKind;
    },
    findByName(wanted, kind) {
      const found = base?.findByName(wanted, kind) ?? [];
      nameOffsets ??= Uint32Array.from(starts, (at) => bytes.u32(types, at));
      const ended = Buffer.from(`${wanted}\0`);
      for (let i = 0; i < nameOffsets.length; i++) {
        const offset = nameOffsets[i] as number;
        const same =
          offset < baseStrings && base !== undefined
            ? base.string(offset) === wanted
            : stringIs(strings, offset - baseStrings, ended);
        const id = first + i;
        if (same && (kind === undefined || btf.kind(id) === kind)) found.push(id as TypeId);
      }
      return found;
    },
  };
  return btf;
}

function openSections(data: Buffer, name: string) {
  if (data.length < HEADER) throw corrupt(name, `${data.length} bytes are too few for a header`);
  const little = LITTLE.u16(data, 0) === MAGIC;
  if (!little && BIG.u16(data, 0) !== MAGIC) throw corrupt(name, "the magic number is wrong");
  const version = data[2] as number;
  if (version !== 1) throw corrupt(name, `version ${version} is not known`);
  const bytes = little ? LITTLE : BIG;
  const headerSize = bytes.u32(data, 4);
  if (headerSize < HEADER) throw corrupt(name, `a header of ${headerSize} bytes is too short`);
  const part = (at: number, what: string): Buffer => {
    const start = headerSize + bytes.u32(data, at);
    const end = start + bytes.u32(data, at + 4);
    if (end > data.length) {
      throw corrupt(name, `the ${what} end at ${end}, outside the ${data.length} bytes`);
    }
    return data.subarray(start, end);
  };
  return { types: part(8, "types"), strings: part(16, "strings"), bytes };
}

function recordStarts(types: Buffer, bytes: Words, name: string): Uint32Array {
  const starts = new Uint32Array(Math.floor(types.length / 12));
  let count = 0;
  for (let at = 0; at < types.length; ) {
    const size = at + 12 <= types.length ? recordSize(bytes.u32(types, at + 4)) : undefined;
    if (size === undefined || at + size > types.length) {
      throw corrupt(name, `the type at 0x${at.toString(16)} is of an unknown kind or cut off`);
    }
    starts[count++] = at;
    at += size;
  }
  return starts.subarray(0, count);
}

function stringIs(strings: Buffer, at: number, text: Buffer): boolean {
  if (strings[at] !== text[0] || at + text.length > strings.length) return false;
  return strings.compare(text, 0, text.length, at, at + text.length) === 0;
}
