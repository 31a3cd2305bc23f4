import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryTypes, TYPES } from "../../test/fixtures/arbitrary-btf.ts";
import { encodeBtf } from "../../test/fixtures/btf-encoder.ts";
import { compileBtfSection } from "../../test/fixtures/compile-btf.ts";
import { SutureError } from "../lib/error.ts";
import { compareLayouts } from "./compare.ts";
import { comparePrototypes, compareVariables } from "./compare-declarations.ts";
import { describeType } from "./describe.ts";
import { kernelLayouts } from "./kernel-layouts.ts";
import { layoutOf, sizeOf } from "./layout.ts";
import { readBtf } from "./read.ts";
import type { BtfType, TypeId } from "./types.ts";

const endian = fc.constantFrom("little" as const, "big" as const);

describe("BTF", () => {
  test("of every kind and both byte orders is read back as it was written", () => {
    fc.assert(
      fc.property(arbitraryTypes, endian, fc.boolean(), (types, order, wideEnums) => {
        const btf = readBtf(encodeBtf(types, { endian: order, wideEnums }), "t");
        expect(btf.count).toBe(TYPES + 1);
        expect(btf.type(0)).toEqual({ kind: "void", name: "" });
        for (const [i, type] of types.entries()) {
          expect(btf.type(i + 1)).toEqual(type);
          expect(btf.kind(i + 1)).toBe(type.kind);
          const found = types.flatMap((each, k) => (each.name === type.name ? [k + 1] : []));
          expect(btf.findByName(type.name)).toEqual(found);
          expect(btf.findByName(type.name, type.kind)).toEqual(found.filter((k) => types[k - 1]?.kind === type.kind));
        }
      }),
      { numRuns: 200 },
    );
  });

  test("of a module continues the ids and strings of its vmlinux", () => {
    const base = readBtf(
      encodeBtf([{ kind: "int", name: "int", size: 4, bits: 32, bitOffset: 0, signed: true }], { endian: "little" }),
      "vmlinux",
    );
    const types: BtfType[] = [
      { kind: "pointer", name: "", target: 1 as TypeId },
      { kind: "typedef", name: "own", target: 2 as TypeId },
    ];
    const split = readBtf(encodeBtf(types, { endian: "little", stringsBefore: base.stringsSize }), "module", base);
    expect(split.count).toBe(4);
    expect(split.type(1)).toEqual(base.type(1));
    expect(split.type(3)).toEqual({ kind: "typedef", name: "own", target: 2 });
    expect(split.findByName("int")).toEqual([1]);
    expect(split.findByName("own", "typedef")).toEqual([3]);
    expect(describeType(split, 2 as TypeId)).toBe("int *");
  });

  test("keeps the sign of 32-bit enumerators apart by the flag", () => {
    const enumOf = (flag: boolean) => {
      const data = encodeBtf([{ kind: "enum", name: "e", size: 4, values: [{ name: "v", value: -1n }] }], {
        endian: "little",
      });
      if (!flag) data.writeUInt32LE(data.readUInt32LE(28) & 0x7fff_ffff, 28);
      const type = readBtf(data, "t").type(1);
      return type.kind === "enum" ? type.values[0]?.value : undefined;
    };
    expect(enumOf(true)).toBe(-1n);
    expect(enumOf(false)).toBe(0xffff_ffffn);
  });

  const valid = encodeBtf([{ kind: "typedef", name: "t", target: 1 as TypeId }], { endian: "little" });
  const changed = (at: number, value: number) => {
    const data = Buffer.from(valid);
    data.writeUInt32LE(value, at);
    return data;
  };

  test.each([
    ["is empty", Buffer.alloc(0)],
    ["has another magic number", changed(0, 0)],
    ["is of an unknown version", changed(0, 0x2eb9f)],
    ["has a short header", changed(4, 8)],
    ["has types outside the file", changed(12, 4096)],
    ["has strings outside the file", changed(20, 4096)],
    ["is cut off", valid.subarray(0, -1)],
    ["has an unknown kind", changed(28, 20 << 24)],
    ["has half a record", changed(12, 8)],
    ["has more members than bytes", changed(28, (4 << 24) | 9)],
    ["has strings without an end", Buffer.concat([valid.subarray(0, -1), Buffer.from("x")])],
  ])("that %s is refused at once", (_what, data) => {
    expect(() => readBtf(data, "t")).toThrow(expect.objectContaining({ code: "BTF_CORRUPT", where: "t" }));
  });

  test.each([
    ["a name outside the strings", changed(24, 4096)],
    ["a target that does not exist", changed(32, 2)],
  ])("with %s is refused when the type is looked at", (_what, data) => {
    const btf = readBtf(data, "t");
    expect(() => btf.type(1)).toThrow(expect.objectContaining({ code: "BTF_CORRUPT" }));
  });

  test("refuses ids that it does not have", () => {
    const btf = readBtf(valid, "t");
    for (const bad of [2, -1, 0.5, Number.NaN, 2 ** 32]) {
      expect(() => btf.type(bad)).toThrow(expect.objectContaining({ code: "BTF_CORRUPT" }));
      expect(() => btf.kind(bad)).toThrow(expect.objectContaining({ code: "BTF_CORRUPT" }));
    }
  });

  test("of arbitrary types, cycles among them, is described and compared or refused", () => {
    fc.assert(
      fc.property(arbitraryTypes, arbitraryTypes, (a, b) => {
        const original = readBtf(encodeBtf(a, { endian: "little" }), "original");
        const patched = readBtf(encodeBtf(b, { endian: "big" }), "patched");
        const uses = [
          () => compareLayouts(original, patched),
          () => comparePrototypes(original, patched),
          () => compareVariables(original, patched),
          () => kernelLayouts(original),
          ...a.flatMap((_, i) => [
            () => describeType(original, (i + 1) as TypeId),
            () => sizeOf(original, (i + 1) as TypeId),
            () => layoutOf(original, (i + 1) as TypeId),
          ]),
        ];
        for (const use of uses) doesOrRefuses(use);
      }),
      { numRuns: 200 },
    );
  });

  test("that was tampered with is read or refused", () => {
    const data = compileBtfSection(
      "struct s { int a; struct { char b, *c; }; enum { X, Y = 4 } e; int (*f)(struct s *, ...); } v; int f(struct s *p) { return p->a; }",
    );
    const whole = readBtf(data, "whole");
    const change = fc.tuple(fc.nat(data.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const broken = Buffer.from(data);
        for (const [at, value] of changes) broken[at] = value;
        doesOrRefuses(() => {
          const btf = readBtf(broken, "broken");
          for (let i = 0; i < btf.count; i++) {
            doesOrRefuses(() => layoutOf(btf, i as TypeId));
            doesOrRefuses(() => describeType(btf, i as TypeId));
          }
          doesOrRefuses(() => compareLayouts(whole, btf));
          doesOrRefuses(() => compareLayouts(btf, whole));
        });
      }),
      { numRuns: 1500 },
    );
  });
});

function doesOrRefuses(use: () => unknown): void {
  try {
    use();
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    expect(error.code).toBe("BTF_CORRUPT");
  }
}
