import * as fc from "fast-check";
import { expect, test } from "vitest";
import { nativeHook } from "../os/native.ts";
import { buildTable, readTable, TAKE_OUT, tableSize } from "./behind-table.ts";

/** The search of a stub: from the pointer's place on, until it is found or an entry is empty. */
function isFound(bytes: Buffer, bits: number, pointer: number): boolean {
  for (let offset = nativeHook().hashPlace(BigInt(pointer), bits) * 8; ; offset += 8) {
    const entry = Number(bytes.readBigUInt64LE(offset));
    if (entry === pointer) return true;
    if (entry === 0) return false;
  }
}

const threadPointers = fc.uniqueArray(
  fc.integer({ min: 1, max: 2 ** 44 - 1 }).map((value) => value * 8),
  { maxLength: 2000 },
);

test("whatever the thread pointers, a search finds those in the table and no other, and always ends", () => {
  fc.assert(
    fc.property(threadPointers, threadPointers, (inside, others) => {
      const { bits, bytes, offsets } = buildTable(inside);
      expect(bytes.length).toBe(tableSize(bits));
      expect(inside.length * 4).toBeLessThanOrEqual(2 ** bits);
      for (const pointer of inside) {
        expect(isFound(bytes, bits, pointer)).toBe(true);
        expect(Number(bytes.readBigUInt64LE(offsets.get(pointer) as number))).toBe(pointer);
      }
      const known = new Set(inside);
      for (const pointer of others) expect(isFound(bytes, bits, pointer)).toBe(known.has(pointer));
    }),
    { numRuns: 100 },
  );
});

test("one written byte takes a task out, and hides no other behind it", () => {
  fc.assert(
    fc.property(threadPointers, (inside) => {
      const { bits, bytes, offsets } = buildTable(inside);
      const out = new Set(inside.filter((_, index) => index % 3 === 0));
      for (const pointer of out) TAKE_OUT.copy(bytes, offsets.get(pointer));
      for (const pointer of inside) expect(isFound(bytes, bits, pointer)).toBe(!out.has(pointer));
      expect(new Set(readTable(bytes).keys())).toEqual(new Set(inside.filter((pointer) => !out.has(pointer))));
    }),
    { numRuns: 100 },
  );
});

test("thread pointers as C libraries lay them out spread over the table", () => {
  // glibc: stacks of 8 MiB and a guard page; musl and small stacks: 128 KiB and a page.
  for (const distance of [(8 << 20) + 4096, (128 << 10) + 4096, 1 << 21]) {
    const pointers = Array.from({ length: 4000 }, (_, index) => 0x7f12_3456_7700 + index * distance);
    const { bits, bytes } = buildTable(pointers);
    let steps = 0;
    for (const pointer of pointers) {
      for (
        let at = nativeHook().hashPlace(BigInt(pointer), bits);
        Number(bytes.readBigUInt64LE(at * 8)) !== pointer;
        at++
      )
        steps++;
    }
    expect(steps / pointers.length).toBeLessThan(1);
  }
});

test("the largest table is filled to a half, in which every search ends", () => {
  const pointers = Array.from({ length: 8192 }, (_, index) => (index + 1) * 4096);
  const { bits, bytes } = buildTable(pointers);
  expect(bits).toBe(14);
  for (const pointer of pointers) expect(isFound(bytes, bits, pointer)).toBe(true);
  expect(isFound(bytes, bits, 8)).toBe(false);
});

test("more tasks than a table can hold are an error that names the model without tables", () => {
  const pointers = Array.from({ length: 8193 }, (_, index) => (index + 1) * 4096);
  expect(() => buildTable(pointers)).toThrow(expect.objectContaining({ code: "TOO_MANY_TASKS" }));
});
