import * as fc from "fast-check";
import { expect, test } from "vitest";
import { applyRelocation, importStub, relocationValue } from "./apply-relocation.ts";
import { R_X86_64, relocationSize } from "./relocations.ts";

const address = fc.integer({ min: 0, max: 2 ** 47 });
const addend = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const RELATIVE: readonly number[] = [R_X86_64.PC32, R_X86_64.PLT32, R_X86_64.GOTPCREL, R_X86_64.TLSGD];

test("a relative field leads to its symbol, or is told to be out of reach", () => {
  fc.assert(
    fc.property(fc.constantFrom(...RELATIVE), address, address, addend, (type, at, value, more) => {
      const data = Buffer.alloc(4);
      const distance = value + more - at;
      expect(applyRelocation({ data, offset: 0, at: at }, type, value, more)).toBe(
        distance >= -(2 ** 31) && distance < 2 ** 31,
      );
      if (Math.abs(distance) < 2 ** 31) expect(at + data.readInt32LE(0)).toBe(value + more);
    }),
  );
});

test("absolute fields of 32 bits take what they can hold, with and without a sign", () => {
  const data = Buffer.alloc(4);
  expect(applyRelocation({ data, offset: 0, at: 0 }, R_X86_64[32], 0xfffffff0, 0)).toBe(true);
  expect(data.readUInt32LE(0)).toBe(0xfffffff0);
  expect(applyRelocation({ data, offset: 0, at: 0 }, R_X86_64[32], 0, -1)).toBe(false);
  expect(applyRelocation({ data, offset: 0, at: 0 }, R_X86_64["32S"], 0x80000000, 0)).toBe(false);
  expect(applyRelocation({ data, offset: 0, at: 0 }, R_X86_64.TPOFF32, -64, 4)).toBe(true);
  expect(data.readInt32LE(0)).toBe(-60);
});

test("every relocation with a size is filled in, and no other", () => {
  for (let type = 0; type < 64; type++) {
    expect(relocationValue(type) !== undefined).toBe(relocationSize(type) !== undefined);
    const data = Buffer.alloc(16, 0xaa);
    const isFilled = applyRelocation({ data, offset: 4, at: 0x1000 }, type, 0x1000, 0);
    expect(isFilled).toBe(relocationSize(type) !== undefined);
    const end = 4 + (relocationSize(type) ?? 0);
    expect(data.subarray(0, 4).equals(Buffer.alloc(4, 0xaa)) && data.subarray(end).every((byte) => byte === 0xaa)).toBe(
      true,
    );
  }
});

test("a stub jumps by its slot, where that is in reach", () => {
  expect(importStub(0x1000, 0x2000)?.readInt32LE(2)).toBe(0x2000 - 0x1006);
  expect(importStub(0x1000, 0x1000 + 2 ** 32)).toBeUndefined();
});
