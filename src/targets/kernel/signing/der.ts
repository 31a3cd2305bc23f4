/** Reads DER (ITU-T X.690), in which certificates and signatures are written: nothing that is read is trusted. */

/** One value, and where it lies. */
export interface DerValue {
  /** First byte: class, whether it is made of others, number. */
  readonly tag: number;
  readonly content: Buffer;
  /** With its head. */
  readonly whole: Buffer;
}

/** Tags of the universal class, and of the first of a context. */
export const TAG = {
  integer: 0x02,
  octets: 0x04,
  identifier: 0x06,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
  context3: 0xa3,
  /** A context's first, of octets that are not made of others. */
  octets0: 0x80,
} as const;

/** Thrown for what is no DER, and caught by who reads a certificate or a signature. */
export class NotDer extends Error {}

/** The values that stand one behind the other in these bytes. Throws `NotDer`. */
export function derValues(data: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < data.length; ) {
    const value = derValue(data, at);
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

/** The value at an offset. Throws `NotDer`. */
export function derValue(data: Buffer, at = 0): DerValue {
  const [tag, first] = [data[at], data[at + 1]];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new NotDer();
  const more = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || more > 4 || at + 2 + more > data.length) throw new NotDer();
  let length = more === 0 ? first : 0;
  for (const byte of data.subarray(at + 2, at + 2 + more)) length = length * 256 + byte;
  const start = at + 2 + more;
  if (start + length > data.length) throw new NotDer();
  return { tag, content: data.subarray(start, start + length), whole: data.subarray(at, start + length) };
}

/** The values in one of that tag. Throws `NotDer` where it has another. */
export function inside(value: DerValue | undefined, tag: number): DerValue[] {
  return derValues(contentOf(value, tag));
}

/** The bytes in one of that tag. Throws `NotDer` where it has another. */
export function contentOf(value: DerValue | undefined, tag: number): Buffer {
  if (value?.tag !== tag) throw new NotDer();
  return value.content;
}
