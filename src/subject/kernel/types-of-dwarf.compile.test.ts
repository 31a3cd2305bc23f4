import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compileBtf } from "../../../test/fixtures/compile-btf.ts";
import { compareLayouts } from "../../btf/compare.ts";
import { compareContents } from "../../btf/compare-declarations.ts";
import { describeType } from "../../btf/describe.ts";
import { structOfVariable } from "../../btf/layout.ts";
import { RunningTypes } from "../../btf/running-types.ts";
import type { Btf, TypeId } from "../../btf/types.ts";
import { typesOf } from "../../builder/type-changes.ts";
import { readElf } from "../../elf/read.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { DWARF_TYPES, withTypes } from "./types-of-dwarf.ts";

const SOURCE = `
  typedef unsigned int u32; typedef _Bool bool; typedef __signed__ char s8;
  struct forward; enum never; enum later { FIRST, NEGATIVE = -5, LARGE = 0x7fffffff }; enum wide { WIDE = 0x123456789abcULL };
  typedef struct { int counter; } atomic_t;
  union either { long as_long; char as_bytes[8]; struct { short low, high; }; };
  struct list { struct list *next, *prev; };
  struct all {
    u32 bits : 3, more : 7; long long : 0; unsigned long wide_bits : 40;
    const char *const name; volatile int state; atomic_t refs; union either either;
    int grid[2][3][4]; void (*call)(struct forward *, int, ...); int (*none)(void);
    enum later later; bool set; s8 small; struct list list; enum never *unknown; double real; __int128 huge;
    struct { int inner; union { u32 a; float b; }; } nested[2];
    struct unused_pointee { int n; } *pointed; const volatile void *restrict any; char rest[];
  };
  struct never_used { u32 member; };
  struct all *first; static struct list heads[4]; atomic_t count = { 1 }; extern enum wide outer;
  int use(struct all *a) {
    struct local { int x, y; } local = { a->state, 2 };
    static int calls; heads[1].next = 0; return calls++ + local.x + a->refs.counter + (outer == WIDE) + (first == a);
  }
`;

async function byClang(source: string): Promise<Btf> {
  await using directory = await temporaryDirectory();
  const object = join(directory.path, "unit.o");
  const args = ["-O2", "-w", ...DWARF_TYPES, "-ffunction-sections", "-fdata-sections", "-xc", "-c", "-", "-o", object];
  execFileSync("clang", args, { input: source });
  const types = typesOf(withTypes(readElf(readFileSync(object), "unit.o")));
  if (types === undefined) throw new Error("clang told of no types");
  return types;
}

test("clang's types are laid out as gcc tells of them, whether they are used or not", async () => {
  const [clang, gcc] = [await byClang(SOURCE), compileBtf(SOURCE)];
  expect(new RunningTypes(gcc).differing(clang)).toEqual([]);
  expect(new RunningTypes(clang).differing(gcc)).toEqual([]);
  for (const name of ["all", "never_used", "list", "unused_pointee"])
    expect(clang.findByName(name, "struct"), name).toHaveLength(1);
  expect(structOfVariable(clang, "heads")).toBe("list[]");
  expect(clang.findByName("calls", "variable")).toEqual([]);
  const [first] = clang.findByName("first", "variable");
  expect(describeType(clang, first as TypeId)).toContain("struct all *");
});

test.each([
  ["a member that is added", "volatile int state;", "volatile int state, more_state;", ["all"]],
  ["a bit field that grows", "more : 7", "more : 8", ["all"]],
  ["an inner dimension", "grid[2][3][4]", "grid[2][4][3]", ["all"]],
  ["a value of an enum", "NEGATIVE = -5", "NEGATIVE = -6", ["later"]],
  ["a prototype in a struct", "struct forward *, int, ...", "struct forward *, long, ...", ["all"]],
  ["a struct that no code uses", "u32 member", "u32 member, other", ["never_used"]],
  ["nothing but code", "local.x", "local.y", []],
])("%s is told of by name", async (_what, from, to, names) => {
  const changes = compareLayouts(await byClang(SOURCE), await byClang(SOURCE.replace(from, to)));
  expect(changes.map(({ name }) => name)).toEqual(names);
});

test("a variable of another type is told of", async () => {
  const patched = SOURCE.replace("static struct list heads", "static struct pair { long a, b; } heads").replace(
    "heads[1].next",
    "heads[1].a",
  );
  const changes = compareContents(await byClang(SOURCE), await byClang(patched));
  expect(changes.map(({ name }) => name)).toEqual(["heads"]);
});
