import type { Cursor } from "./cursor.ts";
import { corrupt, unsupported } from "./fault.ts";

/** DW_EH_PE_*: Linux Standard Base, "DWARF exception header encoding". */
export const PE = {
  ABSPTR: 0x00,
  ULEB128: 0x01,
  UDATA2: 0x02,
  UDATA4: 0x03,
  UDATA8: 0x04,
  SIGNED: 0x08,
  SLEB128: 0x09,
  SDATA2: 0x0a,
  SDATA4: 0x0b,
  SDATA8: 0x0c,
  PCREL: 0x10,
  TEXTREL: 0x20,
  DATAREL: 0x30,
  FUNCREL: 0x40,
  ALIGNED: 0x50,
  INDIRECT: 0x80,
  OMIT: 0xff,
} as const;

/** What pointers can be relative to, besides their own address. */
export interface Bases {
  readonly text?: number | undefined;
  readonly data?: number | undefined;
  readonly function?: number | undefined;
}

/** A pointer as its encoding gives it; the memory that an indirect one leads through is the caller's to read. */
export interface Pointer {
  readonly address: number;
  /** Whether the address is that of the pointer that is meant. */
  readonly indirect: boolean;
}

/** A pointer in this encoding; undefined for the null pointer and DW_EH_PE_omit, which takes no bytes. */
export function readPointer(cursor: Cursor, encoding: number, bases: Bases): Pointer | undefined {
  if (encoding === PE.OMIT) return undefined;
  const { section } = cursor;
  if (encoding === PE.ALIGNED) {
    const misaligned = (section.address + cursor.at) % 8;
    if (misaligned !== 0) cursor.skip(8 - misaligned);
    const address = narrow(cursor, cursor.u64());
    return address === 0 ? undefined : { address, indirect: false };
  }
  const at = cursor.at;
  const value = readValue(cursor, encoding & 0x0f);
  if (value === 0 || value === 0n) return undefined;
  const base = baseOf(cursor, encoding & 0x70, at, bases);
  const address = typeof value === "number" ? base + value : narrow(cursor, BigInt(base) + value);
  if (address < 0 || !Number.isSafeInteger(address)) throw corrupt(section.name, at, "a pointer out of range");
  return { address, indirect: (encoding & PE.INDIRECT) !== 0 };
}

/** A length: the format of the encoding, but neither relative nor signed in effect. */
export function readLength(cursor: Cursor, encoding: number): number {
  const at = cursor.at;
  const value = Number(readValue(cursor, encoding & 0x0f));
  if (value < 0 || !Number.isSafeInteger(value)) throw corrupt(cursor.section.name, at, "a length out of range");
  return value;
}

/** Bytes that a pointer takes; undefined where that differs from pointer to pointer. */
export function sizeOfEncoding(encoding: number): 2 | 4 | 8 | undefined {
  switch (encoding & 0x0f) {
    case PE.UDATA2:
    case PE.SDATA2:
      return 2;
    case PE.UDATA4:
    case PE.SDATA4:
      return 4;
    case PE.ABSPTR:
    case PE.SIGNED:
    case PE.UDATA8:
    case PE.SDATA8:
      return 8;
    default:
      return undefined;
  }
}

function readValue(cursor: Cursor, format: number): number | bigint {
  switch (format) {
    case PE.ABSPTR:
    case PE.UDATA8:
      return cursor.u64();
    case PE.SIGNED:
    case PE.SDATA8:
      return cursor.i64();
    case PE.ULEB128:
      return cursor.unsigned();
    case PE.SLEB128:
      return cursor.signed();
    case PE.UDATA2:
      return cursor.u16();
    case PE.SDATA2:
      return cursor.i16();
    case PE.UDATA4:
      return cursor.u32();
    case PE.SDATA4:
      return cursor.i32();
    default:
      throw unsupported(cursor.section.name, cursor.at, `pointer format 0x${format.toString(16)}`);
  }
}

function baseOf(cursor: Cursor, application: number, at: number, bases: Bases): number {
  const base = application === PE.PCREL ? cursor.section.address + at : namedBase(application, bases);
  if (base === undefined) {
    throw unsupported(cursor.section.name, at, `pointers relative to an unknown base (0x${application.toString(16)})`);
  }
  return base;
}

function namedBase(application: number, bases: Bases): number | undefined {
  switch (application) {
    case PE.ABSPTR:
      return 0;
    case PE.TEXTREL:
      return bases.text;
    case PE.DATAREL:
      return bases.data;
    case PE.FUNCREL:
      return bases.function;
    default:
      return undefined;
  }
}

/** Modulo 2^64, as a number. */
function narrow(cursor: Cursor, value: bigint): number {
  const wrapped = BigInt.asUintN(64, value);
  if (wrapped > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw corrupt(cursor.section.name, cursor.at, "a pointer above 2^53");
  }
  return Number(wrapped);
}
