import fc from "fast-check";
import { expect, test } from "vitest";
import { BIG, LITTLE, type Words, wordsOf } from "./words.ts";

test.each([LITTLE, BIG])("what is written in $endian order is read so", (words: Words) => {
  const signed = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  fc.assert(
    fc.property(signed, fc.nat(7), (value, at) => {
      const data = Buffer.alloc(16, 0xa5);
      const short = Number(BigInt.asIntN(32, value));
      words.setI64(data, at, value);
      expect(words.i64(data, at)).toBe(value);
      expect(words.u64(data, at)).toBe(BigInt.asUintN(64, value));
      expect(words.offset(data, at)).toBe(Number(value));
      expect(words.size(data, at)).toBe(Number(BigInt.asUintN(64, value)));
      words.setI32(data, at, short);
      expect(words.i32(data, at)).toBe(short);
      expect(words.u32(data, at)).toBe(short >>> 0);
      expect(words.u16(data, at)).toBe(words.endian === "big" ? short >>> 16 : short & 0xffff);
      words.setU16(data, at, short & 0xffff);
      expect(words.i16(data, at)).toBe(((short & 0xffff) << 16) >> 16);
    }),
  );
});

test.each([LITTLE, BIG])("all words of 32 bits at once, in $endian order", (words: Words) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const data = Buffer.from(bytes);
      const each = Array.from({ length: data.length >> 2 }, (_, i) => words.i32(data, 4 * i));
      expect([...words.allI32(data)]).toEqual(each);
    }),
  );
});

test("a number up to 2^53 is written as a word of 64 bits", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      for (const words of [LITTLE, BIG]) {
        const data = Buffer.alloc(8);
        words.setSize(data, 0, value);
        expect(words.u64(data, 0)).toBe(BigInt(value));
      }
    }),
  );
});

test("the most significant byte comes first in big order and last in little order", () => {
  const data = Buffer.from([1, 0, 0, 0, 0, 0, 0, 2]);
  expect(wordsOf("big").u64(data, 0)).toBe(0x0100_0000_0000_0002n);
  expect(wordsOf("little").u64(data, 0)).toBe(0x0200_0000_0000_0001n);
});
