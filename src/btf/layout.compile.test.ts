import { describe, expect, test } from "vitest";
import { encodeBtf } from "../../test/fixtures/btf-encoder.ts";
import { compileBtf } from "../../test/fixtures/compile-btf.ts";
import { kernelLayouts } from "./kernel-layouts.ts";
import { structLayout } from "./layout.ts";
import { readBtf } from "./read.ts";
import type { BtfType, TypeId } from "./types.ts";

const btf = compileBtf(`
  typedef unsigned int u32;
  typedef struct { int first; u32 low : 3, high : 5; } unnamed_t;
  struct declared;
  enum e { A };
  struct s {
    char c;
    struct { int i; union { long l; char b[2]; }; } named;
    union { int u; float f; };
    unnamed_t t[3];
    struct declared *p;
    int (*call)(struct s *, const char *, ...);
    struct { int q; } list[4];
    enum e e;
    volatile const int *const v;
    char flexible[];
  } *s;
  unnamed_t unnamed;
  union un { int i; char c[6]; } un;
`);

describe("a struct's layout", () => {
  test("has its members in order, those of anonymous ones among them, as gcc lays them out", () => {
    expect(structLayout(btf, "s")).toMatchObject({
      kind: "struct",
      size: 104,
      members: [
        { name: "c", bitOffset: 0, bitSize: 8, type: "char" },
        { name: "named.i", bitOffset: 64, bitSize: 32, type: "int" },
        { name: "named.l", bitOffset: 128, bitSize: 64, type: "long int" },
        { name: "named.b", bitOffset: 128, bitSize: 16, type: "char[2]" },
        { name: "u", bitOffset: 192, bitSize: 32, type: "int" },
        { name: "f", bitOffset: 192, bitSize: 32, type: "float" },
        { name: "t", bitOffset: 224, bitSize: 192, type: "unnamed_t[3]" },
        { name: "p", bitOffset: 448, bitSize: 64, type: "struct declared *" },
        { name: "call", bitOffset: 512, bitSize: 64, type: "int (*)(struct s *, const char *, ...)" },
        { name: "list[].q", bitOffset: 576, bitSize: 32, type: "int" },
        { name: "list", bitOffset: 576, bitSize: 128, type: "struct { int q; }[4]" },
        { name: "e", bitOffset: 704, bitSize: 32, type: "enum e" },
        {
          name: "v",
          bitOffset: 768,
          bitSize: 64,
          type: expect.stringMatching(/^(volatile const|const volatile) int \* const$/),
        },
        { name: "flexible", bitOffset: 832, bitSize: 0, type: "char[0]" },
      ],
    });
  });

  test("is found by a typedef's name, bit fields in their places", () => {
    expect(structLayout(btf, "unnamed_t")).toMatchObject({
      kind: "struct",
      size: 8,
      members: [
        { name: "first", bitOffset: 0, bitSize: 32, type: "int" },
        { name: "low", bitOffset: 32, bitSize: 3, type: "u32" },
        { name: "high", bitOffset: 35, bitSize: 5, type: "u32" },
      ],
    });
  });

  test("is found for unions, and not for what is only declared or absent", () => {
    expect(structLayout(btf, "un")).toMatchObject({ kind: "union", size: 8 });
    expect(structLayout(btf, "declared")).toBeUndefined();
    expect(structLayout(btf, "absent")).toBeUndefined();
    expect(structLayout(btf, "u32")).toBeUndefined();
  });

  test("places bit fields of BTF without the flag by their type", () => {
    const types: BtfType[] = [
      { kind: "int", name: "int", size: 4, bits: 5, bitOffset: 3, signed: true },
      {
        kind: "struct",
        name: "old",
        size: 8,
        members: [{ name: "f", type: 1 as TypeId, bitOffset: 32, bitFieldSize: 0 }],
      },
    ];
    expect(structLayout(readBtf(encodeBtf(types, { endian: "little" }), "t"), "old")?.members).toMatchObject([
      { name: "f", bitOffset: 35, bitSize: 5, type: "int" },
    ]);
  });

  test("that never ends is refused", () => {
    const loop = (types: BtfType[]) => readBtf(encodeBtf(types, { endian: "little" }), "t");
    const member = (type: number) => ({ name: "", type: type as TypeId, bitOffset: 0, bitFieldSize: 0 });
    const struct = (name: string, ...members: number[]): BtfType => ({
      kind: "struct",
      name,
      size: 8,
      members: members.map(member),
    });
    const itself = loop([struct("s", 2), struct("", 2)]);
    expect(() => structLayout(itself, "s")).toThrow("without end");
    const alias = loop([struct("s", 2), { kind: "typedef", name: "t", target: 2 as TypeId }]);
    expect(() => structLayout(alias, "s")).toThrow("stands for itself");
    // 2 to the power of 29 members, from 30 types.
    const doubling = loop([
      ...Array.from({ length: 29 }, (_, i) => struct(i === 0 ? "s" : "", i + 2, i + 2)),
      { kind: "int", name: "int", size: 4, bits: 32, bitOffset: 0, signed: true },
    ]);
    expect(() => structLayout(doubling, "s")).toThrow("too many members");
    const arrays = loop([
      struct("s", 2),
      ...Array.from(
        { length: 4 },
        (_, i): BtfType => ({ kind: "array", name: "", element: (i + 3) as TypeId, length: 0xffff_ffff }),
      ),
      { kind: "int", name: "int", size: 4, bits: 32, bitOffset: 0, signed: true },
    ]);
    expect(() => structLayout(arrays, "s")).toThrow("address space");
  });
});

describe("a kernel's layouts", () => {
  test("hold what the kernel has, in bytes, and leave out what it lacks", () => {
    const kernel = compileBtf(`
      struct alt_instr { int instr_offset; int repl_offset; short flags; unsigned char len, replen; } __attribute__((packed));
      struct klp_func { const char *old_name; void *new_func; unsigned long old_sympos; _Bool nop; int bits : 3, more : 2; };
      struct alt_instr a;
      struct klp_func f;
    `);
    const layouts = kernelLayouts(kernel);
    expect(layouts).toEqual({
      entrySizes: { alt_instr: 12 },
      structs: {
        klp_func: { size: 32, offsets: { old_name: 0, new_func: 8, old_sympos: 16, nop: 24, bits: 25 } },
      },
    });
    expect(JSON.parse(JSON.stringify(layouts))).toEqual(layouts);
  });
});
