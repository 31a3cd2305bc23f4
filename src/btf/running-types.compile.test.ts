import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryTypes } from "../../test/fixtures/arbitrary-btf.ts";
import { encodeBtf } from "../../test/fixtures/btf-encoder.ts";
import { compileBtf } from "../../test/fixtures/compile-btf.ts";
import { readBtf } from "./read.ts";
import { RunningTypes, typeKeys } from "./running-types.ts";
import type { Btf, BtfType, TypeId } from "./types.ts";

function differing(unit: string, running: string): string[] {
  return new RunningTypes(compileBtf(running, "running.o"))
    .differing(compileBtf(unit, "unit.o"))
    .map(({ title, detail }) => `${title}: ${detail}`);
}

function read(...types: BtfType[]): Btf {
  return readBtf(encodeBtf(types, { endian: "little" }), "running");
}

describe("a unit's types are those that run where", () => {
  const shapes: Readonly<Record<string, string>> = {
    "members are nested in structs without a name": "struct s { int a; union { long b; struct { char c, d; }; }; } v;",
    "bit fields share a word": "struct s { unsigned a : 3, b : 7, : 2, c : 1; unsigned char d : 1; } v;",
    "an array has no size": "struct s { int n; struct { long x; } rest[]; } *v;",
    "arrays are nested": "struct s { int a[2][3][4]; char (*p)[5]; } v;",
    "a typedef has the only name": "typedef struct { int a; long b; } s_t; s_t v;",
    "a struct is only declared": "struct s; struct t { struct s *next; } v;",
    "an enum is of negative values": "enum e { A = -1, B = 7 }; enum e v; enum { C = 3, D } w;",
    "functions are pointed to": "struct ops { int (*f)(struct ops *, long); void (*g)(void); } v;",
    "structs hold themselves": "struct s { struct s *next, **prev; struct { struct s *up; } in; } v;",
    "members are packed": "struct s { char a; long b; short c; } __attribute__((packed)) v;",
  };
  for (const [name, source] of Object.entries(shapes))
    test(name, () => {
      expect(differing(source, `int other; ${source}`)).toEqual([]);
    });

  test("pahole has made one array of nested ones, and knows an enum's sign", () => {
    const int: BtfType = { kind: "int", name: "int", size: 4, bits: 32, bitOffset: 0, signed: true };
    const member = { name: "a", type: 2 as TypeId, bitOffset: 0, bitFieldSize: 0 };
    const running = read(
      int,
      { kind: "array", name: "", element: 1 as TypeId, length: 24 },
      { kind: "struct", name: "s", size: 96, members: [member] },
      { kind: "enum", name: "e", size: 4, values: [{ name: "A", value: -1n }] },
    );
    const unit = (length: string) => compileBtf(`struct s { int a${length}; } v; enum e { A = -1 }; enum e w;`);
    expect(new RunningTypes(running).differing(unit("[2][3][4]"))).toEqual([]);
    expect(new RunningTypes(running).differing(unit("[2][13]")).map(({ title }) => title)).toEqual(["struct s"]);
  });

  test("an enum without a name has other values in modules: vmlinux's say nothing of a module's", () => {
    const of = (value: bigint): BtfType => ({ kind: "enum", name: "", size: 4, values: [{ name: "FLAG", value }] });
    const vmlinux = read(of(1n));
    const own = encodeBtf([of(0n)], { endian: "little", stringsBefore: vmlinux.stringsSize });
    const module = readBtf(own, "module", vmlinux);
    const titles = (running: RunningTypes, value: bigint) =>
      running.differing(read(of(value))).map(({ title }) => title);
    expect(titles(new RunningTypes(vmlinux), 0n)).toEqual(["the enumerator FLAG"]);
    expect(titles(new RunningTypes(vmlinux, true), 0n)).toEqual([]);
    expect(titles(new RunningTypes(module, true), 0n)).toEqual([]);
    expect(titles(new RunningTypes(module, true), 1n)).toEqual(["the enumerator FLAG"]);
  });

  test("an enum is only declared, in the unit or where it runs", () => {
    const declared: BtfType = { kind: "enum", name: "e", size: 0, values: [] };
    const whole = (value: bigint): BtfType => ({ ...declared, size: 4, values: [{ name: "A", value }] });
    const of = (unit: BtfType, running: BtfType) => new RunningTypes(read(running)).differing(read(unit));
    expect(of(declared, whole(1n))).toEqual([]);
    expect(of(whole(1n), declared)).toEqual([]);
    expect(of(whole(1n), whole(2n)).map(({ title }) => title)).toEqual(["enum e"]);
  });

  test("a vector is an array to pahole and nothing to gcc, and takes its room all the same", () => {
    const vector = (bytes: number) => `typedef int vec __attribute__((vector_size(${bytes})));`;
    const holder = "struct s { int a; vec v; char b; } v;";
    const array = "typedef int vec[4];";
    const aligned = "struct s { int a; vec v __attribute__((aligned(16))); char b; } v;";
    expect(differing(`${vector(16)} ${holder}`, `${array} ${aligned}`)).toEqual([]);
    expect(differing(`${vector(32)} ${holder}`, `${array} ${aligned}`)).toHaveLength(1);
  });

  test("one name stands for several types, and one of them is the unit's", () => {
    const long: BtfType = { kind: "int", name: "long int", size: 8, bits: 64, bitOffset: 0, signed: true };
    const member = (name: string, type: number, bitOffset: number) => ({
      name,
      type: type as TypeId,
      bitOffset,
      bitFieldSize: 0,
    });
    const running = read(
      long,
      { ...long, name: "int", size: 4, bits: 32 },
      { kind: "struct", name: "s", size: 4, members: [member("a", 2, 0)] },
      { kind: "struct", name: "s", size: 16, members: [member("b", 1, 0), member("c", 1, 64)] },
    );
    const of = (source: string) => new RunningTypes(running).differing(compileBtf(source));
    expect(of("struct s { long b, c; } v;")).toEqual([]);
    expect(of("struct s { int a; } v;")).toEqual([]);
    expect(of("struct s { char a; } v;")).toHaveLength(1);
  });

  test("nothing that runs has one of that name", () => {
    expect(differing("struct mine { int a; } v; enum { MINE = 4 } w;", "struct s { int a; } v;")).toEqual([]);
  });
});

describe("a unit's types are not those that run where", () => {
  test("members moved, are of another size, or only one side has them", () => {
    expect(differing("struct s { int a; long b; int c; } v;", "struct s { int a, n; char b; } v;")).toEqual([
      "struct s: 12 bytes there, 24 in the source, b has 1 bytes there, 8 bytes in the source, c is in the source alone, n is there alone",
    ]);
    expect(differing("struct s { char a, b; } v;", "struct s { char b, a; } v;")).toEqual([
      "struct s: a at +1 there, at +0 in the source, b at +0 there, at +1 in the source",
    ]);
  });

  test("a member is of another type of the same size", () => {
    const said = ["struct s: its members are of other types"];
    expect(differing("struct s { long a; } v;", "struct s { void *a; } v;")).toEqual(said);
    expect(differing("struct s { unsigned a; } v;", "struct s { int a; } v;")).toEqual(said);
    const types = "struct a { long x; }; struct b { long x; };";
    expect(differing(`${types} struct s { struct a *p; } v;`, `${types} struct s { struct b *p; } v;`)).toEqual(said);
  });

  test("a bit field, a member without a name, a union, an array's length differ", () => {
    for (const [unit, running] of [
      ["struct s { unsigned a : 3, b : 2; } v;", "struct s { unsigned a : 2, b : 3; } v;"],
      ["struct s { int x; struct { int a, b; }; } v;", "struct s { int x; struct { int b, a; }; } v;"],
      ["union s { int a; char b[8]; } v;", "union s { int a; char b[12]; } v;"],
      ["struct s { int a; char b[]; } v;", "struct s { int a; char b[4]; } v;"],
      ["typedef struct { int a; } t; t v;", "typedef struct { long a; } t; t v;"],
    ] as const)
      expect(differing(unit, running)).toHaveLength(1);
  });

  test("an enumerator stands for something else, with a name of the enum or without", () => {
    expect(differing("enum e { A, B }; enum e v;", "enum e { A, N, B }; enum e v;")).toEqual([
      "enum e: B is 2 there, 1 in the source",
    ]);
    expect(differing("enum { A = 1 } v;", "enum { A = 2 } v; enum { B = 1 } w;")).toEqual([
      "the enumerator A: 2 there, 1 in the source",
    ]);
  });

  test("and only those are told that are asked for", () => {
    const running = new RunningTypes(compileBtf("struct s { int a; } v; struct t { int a; } w;"));
    const unit = compileBtf("struct s { long a; } v; struct t { long a; } w;");
    expect([...typeKeys(unit)]).toEqual(expect.arrayContaining(["struct s", "struct t"]));
    expect(running.differing(unit, (key) => key === "struct t").map(({ title }) => title)).toEqual(["struct t"]);
  });
});

test("any two that can be read are compared, or are said to be broken", () => {
  fc.assert(
    fc.property(arbitraryTypes, arbitraryTypes, (unit, running) => {
      try {
        for (const { title, detail } of new RunningTypes(read(...running)).differing(read(...unit)))
          expect(`${title}: ${detail}`).toMatch(/^.+: .+$/);
      } catch (error) {
        expect(error).toMatchObject({ code: "BTF_CORRUPT" });
      }
    }),
  );
});
