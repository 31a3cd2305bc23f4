/** 64-bit fields as numbers or bigints, without a bigint where none is needed. */

const HIGH = 0x1_0000_0000;

/** A view of a buffer's bytes, for reads in either byte order. */
export function viewOf(data: Buffer): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

/** An unsigned 64-bit field; a result above 2^53 is not exact and must be refused by the caller. */
export function u64(view: DataView, at: number, little: boolean): number {
  const first = view.getUint32(at, little);
  const second = view.getUint32(at + 4, little);
  return little ? second * HIGH + first : first * HIGH + second;
}

/** An unsigned 64-bit field, exact. */
export function bigU64(view: DataView, at: number, little: boolean): bigint {
  const number = u64(view, at, little);
  if (number === 0) return 0n;
  return number <= Number.MAX_SAFE_INTEGER ? BigInt(number) : view.getBigUint64(at, little);
}

/** A signed 64-bit field, exact. */
export function bigS64(view: DataView, at: number, little: boolean): bigint {
  const high = view.getInt32(little ? at + 4 : at, little);
  if (high !== 0 && high !== -1) return view.getBigInt64(at, little);
  const number = high * HIGH + view.getUint32(little ? at : at + 4, little);
  return number === 0 ? 0n : BigInt(number);
}

/** Writes an unsigned 64-bit field; `value` is a whole number up to 2^53. */
export function setU64(view: DataView, at: number, value: number, little: boolean): void {
  const high = Math.floor(value / HIGH);
  view.setUint32(little ? at : at + 4, value % HIGH, little);
  view.setUint32(little ? at + 4 : at, high, little);
}
