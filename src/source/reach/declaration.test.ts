import fc from "fast-check";
import { expect, test } from "vitest";
import { declarationOf } from "./declaration.ts";

const names = (text: string): readonly string[] | undefined => declarationOf(text)?.names.toSorted();

test.each<[string, readonly string[]]>([
  ["int f(struct a *p, enum b c);", ["f"]],
  ["extern int x, *y, z[3];", ["x", "y", "z"]],
  ["extern void (*hook)(int);", ["hook"]],
  ["extern typeof(x) y;", ["y"]],
  ["typedef struct { int a; } t;", ["t"]],
  ["typedef unsigned long (*fn)(void), *other;", ["fn", "other"]],
  ["struct s { int a; struct in { int b; } c; enum { A, B = 2, } d; };", ["A", "B", "in", "s"]],
  ["enum e { A __attribute__((deprecated)), B };", ["A", "B", "e"]],
  ["struct s;", []],
  ["void *f(void) __attribute__((__malloc__, , cold)) __attribute__(());", ["f"]],
  [";", []],
  ["static inline __attribute__((__unused__)) int f(int a) { return a; }", ["f"]],
  ["static const struct s table[] = { { .a = 1 }, };", ["table"]],
  ["static struct s *f(void);", ["f"]],
  ['void *f(void) __attribute__((noreturn)) __attribute__((section(".text")));', ["f"]],
  ['static inline void f(void) { extern int g(void) __attribute__((error("no"))), x; g(); }', ["f", "g", "x"]],
  ["static inline void f(void) { if (1) { int a = 1, g(void); h(a); (void) k(); } }", ["f", "g"]],
  ["static inline void f(void) { ({ long *g(int), *p; }); }", ["f", "g"]],
  ["static inline int f(void) { return a * g(b); }", ["f"]],
])("%s is inert", (text, expected) => {
  expect(names(text)).toEqual(expected);
});

test.each([
  "int x;",
  "int f(void), x;",
  "type x;",
  "int (*hook)(int);",
  "extern int x = 1;",
  "int f(void) { return 1; }",
  "inline int f(void) { return 1; }",
  "static int f(void) { return 1; }",
  "extern inline int f(void) { return 1; }",
  "struct s { int a; } x;",
  'asm(".globl x");',
  'extern int x asm("y");',
  'register unsigned long sp asm("rsp");',
  '_Static_assert(1, "");',
  "#pragma pack(1)\n",
  "extern int x __attribute__((weak));",
  "static int x __attribute__((used)) = 1;",
  "static volatile int x = 1;",
  'static int x __attribute__((section("list"))) = 1;',
  "static inline __attribute__((constructor)) void f(void) { }",
  "static inline void f(void) { static int x __attribute__((__used__)); }",
  'extern int f(void) __attribute__((alias("g")));',
  "void *memcpy(void *, const void *, unsigned long);",
  "int __stack_chk_fail(void);",
  "[[noreturn]] void f(void);",
  "void *f(void) __attribute__((malloc(release, 1)));",
  "struct __attribute__((packed)) s;",
  "int putc_unlocked(int);",
  'static inline void f(void) {\n#pragma GCC optimize ("O0")\n}',
  "static inline void f(void) { } int",
])("%s is not inert", (text) => {
  expect(declarationOf(text)).toBeUndefined();
});

test("tags that are only mentioned are told, those of a function's block are not", () => {
  expect(declarationOf("static inline struct a *f(struct b *p) { struct c *d; return 0; }")?.tags).toEqual(["a", "b"]);
});

test("names that every object has are names like others", () => {
  expect(names("int constructor(int), toString(void);")).toEqual(["constructor", "toString"]);
});

test("any text is an inert chunk or is not one", () => {
  const words =
    "int struct enum s { } ( ) [ ] ; , = * : extern static inline typedef volatile __attribute__ ((unused)) asm \"a\" 'b' 1 " +
    "f x __typeof__ return #pragma";
  const text = fc.array(fc.constantFrom(...words.split(" ")), { maxLength: 20 }).map((all) => all.join(" "));
  fc.assert(
    fc.property(text, (each) => {
      const found = declarationOf(each);
      if (found !== undefined) for (const name of [...found.names, ...found.tags]) expect(each).toContain(name);
    }),
    { numRuns: 3000 },
  );
});

test("brackets that lie too deep in each other are not understood, long texts are", () => {
  expect(declarationOf(`int f(${"(".repeat(50_000)}${")".repeat(50_000)});`)).toBeUndefined();
  expect(names(`static const char a[] = "${"\\n.".repeat(1_000_000)}";`)).toEqual(["a"]);
});
