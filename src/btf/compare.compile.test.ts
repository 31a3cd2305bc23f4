import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arbitraryType, arbitraryTypes, TYPES } from "../../test/fixtures/arbitrary-btf.ts";
import { encodeBtf } from "../../test/fixtures/btf-encoder.ts";
import { compileBtf } from "../../test/fixtures/compile-btf.ts";
import { compareLayouts, existsIn, type LayoutChange } from "./compare.ts";
import { compareContents, comparePrototypes, compareVariables } from "./compare-declarations.ts";
import { describeChange } from "./describe-change.ts";
import { readBtf } from "./read.ts";
import { sharedTypes } from "./shared-types.ts";
import type { Btf, BtfType } from "./types.ts";

/** Named after its place, so that no two types have one name. */
function withOwnName(type: BtfType, place: number): BtfType {
  const name = type.name === "" ? "" : `n${place}`;
  if (type.kind === "enum") {
    return { ...type, name, values: type.values.map(({ value }, i) => ({ name: `v${place}_${i}`, value })) };
  }
  return { ...type, name } as BtfType;
}

function compare(original: string, patched: string): LayoutChange[] {
  return compareLayouts(compileBtf(original, "original.o"), compileBtf(patched, "patched.o"));
}

const place = (name: string, bitOffset: number, bitSize: number, type: string) => ({
  name,
  bitOffset,
  bitSize,
  type,
  held: type,
});

describe("types of a translation unit, before and after", () => {
  test("that nothing changes are not even looked at", () => {
    const types = "struct a { int x; struct b *next; }; struct b { struct a a; int (*f)(struct a *); };";
    const original = compileBtf(`${types} int f(struct b *b) { return b->a.x; } int v, w;`);
    const patched = compileBtf(`${types} int f(struct b *b) { return b->a.x + 1; } int v, w;`);
    const variable = original.findByName("v", "variable")[0];
    expect(sharedTypes(original, patched)).toBe(Math.min(variable ?? 0, original.findByName("w", "variable")[0] ?? 0));
  });

  test("are equal where only code, order and new types differ", () => {
    const types = "struct a { int x; struct b *next; }; struct b { struct a a; int (*f)(struct a *); };";
    expect(
      compare(
        `${types} int f(struct b *b) { return b->a.x; }`,
        `struct n { long l; }; ${types} struct n n; enum { E } e; int f(struct b *p) { return p->a.x + n.l; }`,
      ),
    ).toEqual([]);
  });

  test("name the members that an insertion moves, in every struct that holds them", () => {
    const rest = "struct out { char c; struct in in; int last; } out;";
    expect(compare(`struct in { int a, b; }; ${rest}`, `struct in { int a; long n; int b; }; ${rest}`)).toEqual([
      {
        kind: "struct",
        name: "in",
        size: { original: 8, patched: 24 },
        compatible: false,
        moved: [
          { member: "b", original: place("b", 32, 32, "int"), patched: place("b", 128, 32, "int") },
          { member: "n", original: undefined, patched: place("n", 64, 64, "long int") },
        ],
      },
      {
        kind: "struct",
        name: "out",
        size: { original: 16, patched: 40 },
        compatible: false,
        moved: [
          { member: "in", original: place("in", 32, 64, "struct in"), patched: place("in", 64, 192, "struct in") },
          { member: "last", original: place("last", 96, 32, "int"), patched: place("last", 256, 32, "int") },
        ],
      },
    ]);
  });

  test("are compatible where a hole is filled", () => {
    expect(compare("struct s { char c; long l; } s;", "struct s { char c; short n; long l; } s;")).toEqual([
      {
        kind: "struct",
        name: "s",
        size: { original: 16, patched: 16 },
        compatible: true,
        moved: [{ member: "n", original: undefined, patched: place("n", 16, 16, "short int") }],
      },
    ]);
  });

  test("are compatible where a member has only another name", () => {
    expect(compare("struct s { int a; long l; } s;", "struct s { int b; long l; } s;")).toMatchObject([
      { name: "s", compatible: true, moved: [{ member: "a", patched: undefined }, { member: "b" }] },
    ]);
  });

  test.each([
    [
      "a member loses structs around it that hold nothing else, as when a spinlock becomes a raw one",
      "typedef struct { int v; } raw; typedef struct { union { raw r; }; } spin; struct s { char c; spin l; } s;",
      "typedef struct { int v; } raw; typedef struct { union { raw r; }; } spin; struct s { char c; raw l; } s; spin x;",
    ],
    ["a member is named by another typedef", "struct s { int a; } s;", "typedef int t; struct s { t a; } s;"],
  ])("are no change where %s", (_what, original, patched) => {
    expect(compare(original, patched)).toEqual([]);
  });

  test.each([
    [
      "a struct around a member gets a second one",
      "struct w { int v; }; struct s { struct w a; } s;",
      "struct s { int a, b; } s;",
    ],
    [
      "a struct around a member is wider",
      "struct w { int v; } __attribute__((aligned(8))); struct s { struct w a; } s;",
      "struct s { long a; } s;",
    ],
    ["a member is removed", "struct s { char c, d; long l; } s;", "struct s { char c; long l; } s;"],
    ["a member has another type", "struct s { int a; } s;", "struct s { unsigned a; } s;"],
    ["two members change places", "struct s { int a, b; } s;", "struct s { int b, a; } s;"],
    ["a pointer points elsewhere", "struct s { struct a *p; } s;", "struct s { struct b *p; } s;"],
    ["an array is shorter", "struct s { int a[4]; long l[]; } s;", "struct s { int a[2]; long l[]; } s;"],
    ["a bit field is wider", "struct s { int a : 3, b : 4; } s;", "struct s { int a : 4, b : 4; } s;"],
    ["a struct becomes a union", "struct s { int a; } s;", "union s { int a; } s;"],
    [
      "an inner anonymous struct grows",
      "struct s { struct { int a; } i; } s;",
      "struct s { struct { long a; } i; } s;",
    ],
    ["a callback takes more", "struct s { int (*f)(int); } s;", "struct s { int (*f)(int, int); } s;"],
    ["the alignment grows", "struct s { int a; } s;", "struct s { int a; } __attribute__((aligned(16))) s;"],
  ])("are not compatible where %s", (_what, original, patched) => {
    expect(compare(original, patched)).toMatchObject([{ name: "s", compatible: false }]);
  });

  test("are compared by their typedef where they have no other name", () => {
    const after = compare("typedef struct { int a; } t; t x;", "typedef struct { int n, a; } t; t x;");
    expect(after).toMatchObject([{ kind: "struct", name: "t", size: { original: 4, patched: 8 } }]);
  });

  test("name typedefs that stand for another type", () => {
    const after = compare("typedef int t; t x;", "typedef unsigned long t; t x;");
    expect(after).toEqual([
      {
        kind: "typedef",
        name: "t",
        size: { original: 4, patched: 8 },
        type: { original: "int", patched: "long unsigned int" },
        compatible: false,
      },
    ]);
  });

  test("name enumerators of another value, also in enums without a name, and no added ones", () => {
    const after = compare(
      "enum e { A, B, C } e; enum { X = 1, Y } x; enum f { F } f;",
      "enum e { A, N, B, C } e; enum { X = 2, Y = 2 } x; enum f { F, G } f;",
    );
    expect(after).toEqual([
      {
        kind: "enum",
        name: "e",
        size: { original: 4, patched: 4 },
        values: [
          { name: "B", original: "1", patched: "2" },
          { name: "C", original: "2", patched: "3" },
        ],
        compatible: false,
      },
      {
        kind: "enum",
        name: "",
        size: { original: 4, patched: 4 },
        values: [{ name: "X", original: "1", patched: "2" }],
        compatible: false,
      },
    ]);
  });

  test("are no change where one of the two only declares them", () => {
    expect(compare("struct s; struct s *p;", "struct s { int a; }; struct s *p; int f() { return p->a; }")).toEqual([]);
  });

  test("with one name in two scopes are told apart by what they hold", () => {
    const unit = (a: string) => `
      int f(void *p) { struct s { int a; } *s = p; return s->a; }
      int g(void *p) { struct s { ${a} } *s = p; return s->b; }`;
    expect(compare(unit("long b;"), `struct n { int n; } n; ${unit("long b;")}`)).toEqual([]);
    expect(compare(unit("long b;"), unit("int n; long b;"))).toMatchObject([
      { name: "s", size: { original: 8, patched: 16 } },
    ]);
  });

  test("differ in exactly the members behind the one that grows", () => {
    const type = fc.constantFrom("char", "short", "int", "long", "void *");
    fc.assert(
      fc.property(fc.array(type, { minLength: 1, maxLength: 12 }), fc.nat(), (types, seed) => {
        const grows = seed % types.length;
        const struct = (list: string[]) => `struct s { ${list.map((each, i) => `${each} m${i};`).join(" ")} } s;`;
        const wider = types.map((each, i) => (i === grows ? "struct { long l[3]; }" : each));
        const [change] = compare(struct(types), struct(wider));
        expect(change).toMatchObject({ kind: "struct", name: "s", compatible: false });
        if (change?.kind !== "struct") return;
        const before = change.moved.flatMap(({ original }) => (original ? [original.name] : []));
        for (const [i] of types.entries()) expect(before.includes(`m${i}`)).toBe(i >= grows);
      }),
      { numRuns: 15 },
    );
  });

  test("are compared alike whether or not both start with the same bytes", () => {
    let shortcuts = 0;
    const outcome = (compare: () => unknown) => {
      try {
        return compare();
      } catch (error) {
        return String(error);
      }
    };
    fc.assert(
      fc.property(
        arbitraryTypes,
        fc.integer({ min: TYPES - 3, max: TYPES - 1 }),
        arbitraryType,
        (named, at, instead) => {
          const types = named.map(withOwnName);
          const original = readBtf(encodeBtf(types, { endian: "little" }), "original");
          const [same, other] = (["little", "big"] as const).map((endian) =>
            readBtf(encodeBtf(types.with(at, withOwnName(instead, at)), { endian }), "patched"),
          ) as [Btf, Btf];
          if (sharedTypes(original, same) > 1) shortcuts += 1;
          expect(sharedTypes(original, other)).toBe(1);
          for (const compare of [compareLayouts, comparePrototypes, compareVariables, compareContents]) {
            const whole = outcome(() => compare(original, other));
            // The refusal of a cycle that both begin with may be passed over, nothing else.
            if (typeof whole !== "string") expect(outcome(() => compare(original, same))).toEqual(whole);
          }
        },
      ),
      { numRuns: 500 },
    );
    expect(shortcuts).toBeGreaterThan(5);
  });

  test("made to be compared for long are given up", () => {
    const structs = (size: number) =>
      Array.from({ length: 5000 }, (_, i): BtfType => ({ kind: "struct", name: "s", size: size + i, members: [] }));
    const [original, patched] = [structs(0), structs(10_000)].map((types) =>
      readBtf(encodeBtf(types, { endian: "little" }), "hostile"),
    ) as [Btf, Btf];
    expect(() => compareLayouts(original, patched)).toThrow("in bounded time");
  });

  test("tell whether the kernel knows the type", () => {
    const kernel = compileBtf("struct known { int a; } k; enum { IN_KERNEL } e; typedef struct { int a; } t; t v;");
    const [known] = compare("struct known { int a; } k;", "struct known { long a; } k;");
    const [own] = compare("struct own { int a; } k;", "struct own { long a; } k;");
    const [unnamed] = compare("enum { IN_KERNEL } e;", "enum { IN_KERNEL = 5 } e;");
    const [byTypedef] = compare("typedef struct { int a; } t; t v;", "typedef struct { long a; } t; t v;");
    expect([known, own, unnamed, byTypedef].map((change) => change && existsIn(kernel, change))).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });
});

describe("a change of types in words", () => {
  test.each([
    [
      "struct s { int a, b; } s;",
      "struct s { int a; long n; int b; } s;",
      "struct s grows from 8 to 24 bytes: b moves from 4 to 16, n is new at 8",
    ],
    ["struct s { char c; long l; } s;", "struct s { char c, d; long l; } s;", "struct s: d is new at 1"],
    ["struct s { int a, b; } s;", "struct s { int a; } s;", "struct s shrinks from 8 to 4 bytes: b at 4 is gone"],
    ["struct s { int a; } s;", "struct s { unsigned a; } s;", "struct s: a changes from int to unsigned int"],
    [
      "struct s { int a : 3, b : 4; } s;",
      "struct s { int a : 4, b : 4; } s;",
      "struct s: a changes from 3 to 4 bits, b moves from 0.3 to 0.4",
    ],
    ["enum e { A } e;", "enum e { Z, A } e;", "enum e: A changes from 0 to 1"],
    ["enum { A } e;", "enum { Z, A } e;", "an enum without a name: A changes from 0 to 1"],
    ["typedef int t; t x;", "typedef char t; t x;", "typedef t shrinks from 4 to 1 bytes: from int to char"],
  ])("%s", (original, patched, words) => {
    expect(compare(original, patched).map(describeChange)).toEqual([words]);
  });

  test("names eight members at most", () => {
    const struct = (first: string) => `struct s { ${first} int ${Array.from({ length: 20 }, (_, i) => `m${i}`)}; } s;`;
    const [change] = compare(struct(""), struct("long n;"));
    expect(change && describeChange(change)).toMatch(/m7 moves from 28 to 36, and 13 more$/);
  });
});

describe("declarations of a translation unit, before and after", () => {
  test("name functions that take or return something else, and not new names of parameters", () => {
    const original = compileBtf("int f(int a) { return a; } int g(int a) { return a; } int gone(void) { return 1; }");
    const patched = compileBtf(
      "int f(int b) { return b; } long g(int a, char *p) { return a; } int n(void) { return 1; }",
    );
    expect(comparePrototypes(original, patched)).toEqual([
      { kind: "function", name: "g", original: "int (int)", patched: "long int (int, char *)" },
    ]);
  });

  test("name variables of another type, static ones among them", () => {
    const unit = (inner: string) => `
      struct a { long x, y; } used; struct b { void *p, *q; } used_too; int same;
      static ${inner} state; static int count; int f(void) { return count++ + *(char *)&state; }`;
    expect(compareVariables(compileBtf(unit("struct a")), compileBtf(unit("struct b")))).toEqual([
      { kind: "variable", name: "state", original: "struct a", patched: "struct b" },
    ]);
  });
});

describe("what variables hold, before and after", () => {
  const unit = (declaration: string) => `
    struct a { long x, y; }; struct twin { long x, y; }; struct other { long y, x; }; struct b { void *p, *q; }; typedef struct { int counter; } atomic_t;
    struct a one; struct b two; struct twin three; struct other five; enum e { E } four;
    static ${declaration} int f(void) { return *(volatile char *)&state; }`;
  const changed = (before: string, after: string) =>
    compareContents(compileBtf(unit(before)), compileBtf(unit(after))).map(({ name }) => name);

  test.each([
    ["struct a state;", "struct b state;"],
    ["struct a *state;", "struct b *state;"],
    ["struct a *state;", "struct other *state;"],
    ["struct a *state[2];", "struct b *state[2];"],
    ["int (*state)(int);", "int (*state)(struct a *);"],
    ["struct a *state;", "unsigned long state;"],
    ["struct a *state;", "struct a **state;"],
    ["float state;", "int state;"],
  ])("%s and %s are not the same", (before, after) => {
    expect(changed(before, after)).toEqual(["state"]);
  });

  test.each([
    ["struct a state;", "struct twin state;"],
    ["struct a *state;", "const struct a *state;"],
    ["struct a *state;", "void *state;"],
    ["struct a *state;", "struct a *volatile state;"],
    ["int state;", "unsigned int state;"],
    ["int state;", "enum e state;"],
    ["int state;", "atomic_t state;"],
    ["char *state;", "unsigned char *state;"],
    ["int (*state)(int);", "int (*volatile state)(int);"],
  ])("%s and %s are", (before, after) => {
    expect(changed(before, after)).toEqual([]);
  });
});
