/** Numbers in a file's byte order. */
export interface ByteOrder {
  u32(data: Buffer, at: number): number;
  i32(data: Buffer, at: number): number;
}

export const LITTLE: ByteOrder = {
  u32: (data, at) => data.readUInt32LE(at),
  i32: (data, at) => data.readInt32LE(at),
};

export const BIG: ByteOrder = {
  u32: (data, at) => data.readUInt32BE(at),
  i32: (data, at) => data.readInt32BE(at),
};
