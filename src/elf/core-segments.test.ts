import fc from "fast-check";
import { expect, test } from "vitest";
import { coreOf } from "../../test/made-up-memory.ts";
import { CORE_HEADER, coreSegments, coreTable, fileOffset } from "./core-segments.ts";

const address = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_0000n });
const part = fc.record({
  address,
  bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});

test("every byte of memory that a core file has is found in it, and none that it has not", () => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const file = coreOf(parts);
      const table = coreTable(file.subarray(0, CORE_HEADER));
      expect(table).toEqual({ offset: 64n, size: 56 * parts.length });
      const segments = coreSegments(file, file.subarray(64, 64 + (table?.size ?? 0)));
      for (const each of parts) {
        const length = each.bytes.length;
        const first = parts.find(
          (other) =>
            each.address >= other.address &&
            each.address + BigInt(length) <= other.address + BigInt(other.bytes.length),
        );
        const at = Number(fileOffset(segments, each.address, length));
        const inFirst = Number(each.address - (first?.address ?? 0n));
        expect(file.subarray(at, at + length)).toEqual(first?.bytes.subarray(inFirst, inFirst + length));
      }
      const end = parts.reduce(
        (most, each) =>
          each.address + BigInt(each.bytes.length) > most ? each.address + BigInt(each.bytes.length) : most,
        0n,
      );
      expect(fileOffset(segments, end, 1)).toBeUndefined();
    }),
  );
});

test("whatever bytes a file has, they are read in bounds or not taken for a core file", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isCore) => {
      const file = Buffer.from(bytes);
      if (isCore && file.length >= CORE_HEADER) coreOf([]).copy(file, 0, 0, 20);
      const table = coreTable(file);
      if (table === undefined) return;
      expect(table.size).toBeLessThanOrEqual(0xffff * 56);
      const from = Number(table.offset);
      for (const each of coreSegments(file, file.subarray(from, from + table.size)))
        expect(each.size).toBeLessThan(1n << 64n);
    }),
  );
});
