import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ElfFile } from "../../elf/model.ts";
import { readElf } from "../../elf/read.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { classLayoutRefusals } from "./class-layouts.ts";

const SOURCE = `
namespace shop {
enum class kind { small = 1, large = 2 };
struct base { virtual ~base() {} virtual int price() const { return 1; } };
struct item : base { int count; kind what; int price() const override { return count; } };
union word { int number; char bytes[4]; };
template <typename T> struct pair { T first; T second; };
}
template <typename F> __attribute__((noinline)) int called(const F &f) { return f(2); }
struct { int hidden; } nameless;
shop::pair<long> two;
shop::word one;
int total(const shop::item &it) { struct local { int n; } x{it.count}; auto twice = [x, by = it.price()](int n) { return n * x.n + by; }; return called(twice) + nameless.hidden; }
int main() { shop::item it; it.count = 1; it.what = shop::kind::large; return total(it) + two.first + one.number; }
`;

async function compiled(directory: string, source: string, compiler = "g++"): Promise<ElfFile> {
  const [input, output] = [join(directory, "a.cc"), join(directory, "a.o")];
  writeFileSync(input, source);
  execFileSync(compiler, ["-O2", "-g", "-gdwarf-5", "-std=c++20", "-c", "-o", output, input]);
  return readElf(readFileSync(output), "a.cc");
}

async function changed(from: string, to: string): Promise<string[]> {
  await using directory = await temporaryDirectory();
  expect(SOURCE).toContain(from);
  const original = await compiled(directory.path, SOURCE);
  const patched = await compiled(directory.path, SOURCE.replace(from, to));
  return classLayoutRefusals("a.cc", original, patched).map(({ what }) => what.replace(/ has another layout.*/s, ""));
}

test.each([
  ["a member that is added", "int count; kind", "int count; int more; kind", "shop::item"],
  ["members that change places", "T first; T second;", "T second; T first;", "shop::pair<long int>"],
  ["a member of another type", "int number;", "unsigned number;", "shop::word"],
  [
    "one more virtual function",
    "{ virtual ~base() {}",
    "{ virtual int fresh() { return 2; } virtual ~base() {}",
    "shop::base",
  ],
  ["a value of an enumeration", "large = 2", "large = 3", "shop::kind"],
  ["an array's length", "char bytes[4]", "char bytes[8]", "shop::word"],
  ["a type of a function", "struct local { int n; }", "struct local { long n; }", "local"],
  ["what a lambda captures", "[x, by = it.price()]", "[x, by = (long)it.price()]", "<lambda>"],
])("%s is another layout", async (_what, from, to, name) => {
  expect((await changed(from, to)).join(" ")).toContain(name);
});

test.each([
  ["a function that is added", "int count; kind", "int count; int twice() const { return 2 * count; } kind"],
  ["a value that is added", "large = 2", "large = 2, huge = 3"],
  ["a static member", "int count; kind", "static int all; int count; kind"],
  ["code alone", "return count;", "return count + 1;"],
  ["one more lambda", "return called(twice)", "auto half = [](int n) { return n / 2; }; return half(called(twice))"],
])("%s leaves the layout as it is", async (_what, from, to) => {
  expect(await changed(from, to)).toEqual([]);
});

test("a member that points to something else is another layout", async () => {
  const source = (pointee: string) =>
    `struct a { int n; }; struct b { int n; }; struct list { ${pointee} *first; }; list all; int get() { return all.first->n; }`;
  await using directory = await temporaryDirectory();
  const both = [await compiled(directory.path, source("a")), await compiled(directory.path, source("b"))] as const;
  expect(classLayoutRefusals("a.cc", ...both).map(({ what }) => what)).toEqual([
    expect.stringMatching(/^list has another layout/),
  ]);
});

test.each(["g++", "clang++"])("a variable of another type is told where it runs, by %s", async (compiler) => {
  const source = (type: string) =>
    `struct a { int n; }; struct b { int n; }; static ${type} *first; static a other; int get() { static ${type} *inner; return (long)first + (long)inner + other.n; }`;
  await using directory = await temporaryDirectory();
  const original = await compiled(directory.path, source("a"), compiler);
  const patched = await compiled(directory.path, source("b"), compiler);
  const told = (isState: (name: string) => boolean) =>
    classLayoutRefusals("a.cc", original, patched, isState).map(({ what }) => what);
  expect(told(() => true)).toEqual([
    expect.stringContaining("is declared as a pointer to b instead of a pointer to a"),
  ]);
  expect(told(() => false)).toEqual([]);
});

test.each(["g++", "clang++"])("a bit field that moves is another layout, by %s", async (compiler) => {
  const source = (between: string) =>
    `struct s { unsigned a : 3; ${between} unsigned b : 4; } all; int get() { return all.b; }`;
  await using directory = await temporaryDirectory();
  const original = await compiled(directory.path, source(""), compiler);
  const patched = await compiled(directory.path, source("unsigned : 2;"), compiler);
  expect(classLayoutRefusals("a.cc", original, patched).map(({ what }) => what)).toEqual([
    expect.stringMatching(/^s has another layout.*4 bits from 5/),
  ]);
});
