import fc from "fast-check";
import { expect, test } from "vitest";
import { arbitraryTypes } from "../../test/fixtures/arbitrary-btf.ts";
import { BIG, LITTLE } from "../elf/words.ts";
import { readBtf } from "./read.ts";
import type { BtfType, TypeId } from "./types.ts";
import { type WrittenType, writeBtf } from "./write.ts";

const LEFT_OUT = new Set<BtfType["kind"]>(["void", "function", "section", "declaration tag", "type tag"]);

/** As it is written: an int lies at the start of its unit. */
function written(type: BtfType): WrittenType {
  if (type.kind === "int") return { ...type, bitOffset: 0 };
  return LEFT_OUT.has(type.kind) ? { kind: "pointer", name: "", target: 1 as TypeId } : (type as WrittenType);
}

test("types are read back as they were written", () => {
  fc.assert(
    fc.property(arbitraryTypes, fc.constantFrom(LITTLE, BIG), (types, words) => {
      const all = types.map(written);
      const btf = readBtf(writeBtf(all, words, "t"), "t");
      expect(btf.count).toBe(all.length + 1);
      for (const [i, type] of all.entries()) expect(btf.type(i + 1)).toEqual(type);
    }),
    { numRuns: 100 },
  );
});

test("what the format cannot hold is told", () => {
  const member = { name: "m", type: 0 as TypeId, bitOffset: 2 ** 24, bitFieldSize: 1 };
  const types: WrittenType[] = [{ kind: "struct", name: "s", size: 4 << 20, members: [member] }];
  expect(() => writeBtf(types, LITTLE, "t")).toThrow(expect.objectContaining({ code: "BTF_CORRUPT" }));
});
