import { endianness } from "node:os";

/**
 * Words in a file's byte order. Who reads one that belongs to a file or a machine
 * asks its `words`; LITTLE and BIG by name are for formats that have one order on
 * every machine. The two have one shape, and a run mostly sees one of them, so a
 * loop over words calls one known function.
 */
export interface Words {
  readonly endian: "little" | "big";
  u16(data: Buffer, at: number): number;
  i16(data: Buffer, at: number): number;
  u32(data: Buffer, at: number): number;
  i32(data: Buffer, at: number): number;
  /** All of them, as signed words of 32 bits: a copy, for loops over many. What is left over behind the last is not in it. */
  allI32(data: Buffer): Int32Array;
  u64(data: Buffer, at: number): bigint;
  i64(data: Buffer, at: number): bigint;
  /** An unsigned word of 64 bits; above 2^53 it is not exact, which the caller has to refuse. */
  size(data: Buffer, at: number): number;
  /** A signed one, the same. */
  offset(data: Buffer, at: number): number;
  setU16(data: Buffer, at: number, value: number): void;
  setU32(data: Buffer, at: number, value: number): void;
  setI32(data: Buffer, at: number, value: number): void;
  setU64(data: Buffer, at: number, value: bigint): void;
  setI64(data: Buffer, at: number, value: bigint): void;
  /** A number of 64 bits in floating point (IEEE 754). */
  double(data: Buffer, at: number): number;
  setDouble(data: Buffer, at: number, value: number): void;
  /** An unsigned number up to 2^53 as a word of 64 bits. */
  setSize(data: Buffer, at: number, value: number): void;
}

const HIGH = 0x1_0000_0000;

/** Least significant byte first. */
export const LITTLE: Words = {
  endian: "little",
  u16: (data, at) => data.readUInt16LE(at),
  i16: (data, at) => data.readInt16LE(at),
  u32: (data, at) => data.readUInt32LE(at),
  i32: (data, at) => data.readInt32LE(at),
  allI32: (data) => copyOf(data, "LE"),
  u64: (data, at) => data.readBigUInt64LE(at),
  i64: (data, at) => data.readBigInt64LE(at),
  size: (data, at) => data.readUInt32LE(at) + data.readUInt32LE(at + 4) * HIGH,
  offset: (data, at) => data.readUInt32LE(at) + data.readInt32LE(at + 4) * HIGH,
  double: (data, at) => data.readDoubleLE(at),
  setU16(data, at, value) {
    data.writeUInt16LE(value, at);
  },
  setU32(data, at, value) {
    data.writeUInt32LE(value, at);
  },
  setI32(data, at, value) {
    data.writeInt32LE(value, at);
  },
  setU64(data, at, value) {
    data.writeBigUInt64LE(value, at);
  },
  setI64(data, at, value) {
    data.writeBigInt64LE(value, at);
  },
  setDouble(data, at, value) {
    data.writeDoubleLE(value, at);
  },
  setSize(data, at, value) {
    data.writeUInt32LE(value % HIGH, at);
    data.writeUInt32LE(Math.floor(value / HIGH), at + 4);
  },
};

/** Most significant byte first. */
export const BIG: Words = {
  endian: "big",
  u16: (data, at) => data.readUInt16BE(at),
  i16: (data, at) => data.readInt16BE(at),
  u32: (data, at) => data.readUInt32BE(at),
  i32: (data, at) => data.readInt32BE(at),
  allI32: (data) => copyOf(data, "BE"),
  u64: (data, at) => data.readBigUInt64BE(at),
  i64: (data, at) => data.readBigInt64BE(at),
  size: (data, at) => data.readUInt32BE(at) * HIGH + data.readUInt32BE(at + 4),
  offset: (data, at) => data.readInt32BE(at) * HIGH + data.readUInt32BE(at + 4),
  double: (data, at) => data.readDoubleBE(at),
  setU16(data, at, value) {
    data.writeUInt16BE(value, at);
  },
  setU32(data, at, value) {
    data.writeUInt32BE(value, at);
  },
  setI32(data, at, value) {
    data.writeInt32BE(value, at);
  },
  setU64(data, at, value) {
    data.writeBigUInt64BE(value, at);
  },
  setI64(data, at, value) {
    data.writeBigInt64BE(value, at);
  },
  setDouble(data, at, value) {
    data.writeDoubleBE(value, at);
  },
  setSize(data, at, value) {
    data.writeUInt32BE(Math.floor(value / HIGH), at);
    data.writeUInt32BE(value % HIGH, at + 4);
  },
};

function copyOf(data: Buffer, order: ReturnType<typeof endianness>): Int32Array {
  const words = new Int32Array(data.length >> 2);
  const bytes = Buffer.from(words.buffer);
  data.copy(bytes);
  if (endianness() !== order) bytes.swap32();
  return words;
}

/** The words of a file whose header says this. */
export function wordsOf(endian: "little" | "big"): Words {
  return endian === "little" ? LITTLE : BIG;
}
