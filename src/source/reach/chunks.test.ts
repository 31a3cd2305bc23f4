import fc from "fast-check";
import { expect, test } from "vitest";
import { cutChunks } from "./chunks.ts";

function cut(text: string): string[] | undefined {
  const chunks = cutChunks(Buffer.from(text, "latin1"));
  return chunks === undefined ? undefined : Array.from({ length: chunks.count }, (_, i) => chunks.text(i));
}

const WHOLE = [
  "int f(void);",
  "static inline int f(int a) { if (a) { return a; } return '}'; }",
  "struct s { int a; struct { char c; } b; } __attribute__((packed)) x[2] = { { .a = 1 }, { 2 } };",
  "union __attribute__((aligned(8))) u { int a; } ;",
  "enum { A, B = ';' };",
  "struct s f(struct t { int a; } *p) { return *(struct s *)p; }",
  "typedef int (*fn)(struct s *);",
  'asm(".text; }" : : "i" (1));',
  'const char *text = "a \\" ; { \\\\";',
  "static struct s y = (struct s) { .a = 1.e+3 };",
  "typeof(({ int a; a; })) z;",
  "#pragma pack(push, 1)\n",
  "void g(void) __attribute__((noreturn));",
  "struct s *h(void) { return 0; }",
  ";",
];

test("a text is cut into its declarations, functions and pragmas", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...WHOLE)), fc.constantFrom("\n", "\n\n  "), (chunks, space) => {
      expect(cut(chunks.map((chunk) => `${chunk}${space}`).join(""))).toEqual(chunks);
    }),
  );
});

test("how tokens are spaced makes no other chunk", () => {
  const [one, other] = ["int\tf(int a,\n\n   int b);", "int f(int a, int b);"].map((text) =>
    cutChunks(Buffer.from(text)),
  );
  expect(one?.digests).toEqual(other?.digests);
});

test("spaces in strings do", () => {
  const [one, other] = ['char a[] = "x  y";', 'char a[] = "x y";'].map((text) => cutChunks(Buffer.from(text)));
  expect(one?.digests).not.toEqual(other?.digests);
});

test("a pragma within a function stays in it, on its own line", () => {
  expect(cut("void f(void) {\n#pragma GCC diagnostic push\n g(); }")).toEqual([
    "void f(void) {\n#pragma GCC diagnostic push\n g(); }",
  ]);
});

test.each([
  ["a declaration that does not end", "int a"],
  ["a bracket that does not", "int a[2;"],
  ["brackets that do not fit", "int f(int a];"],
  ["a string that does not end", 'char *a = "b;'],
  ["parameters in the way of K&R", "int f(a) int a; { return a; }"],
  ["a raw string", 'char *a = R"(;)";'],
  ["a digraph", "int f(void) <% %>"],
  ["a comment", "int a; // ;\n"],
  ["a linkage specification", 'extern "C" { int a; }'],
  ["a backslash", "int \\u00e4;"],
  ["a control character", "int a\0;"],
])("%s is not understood", (_, text) => {
  expect(cut(text)).toBeUndefined();
});

test("any text is cut into itself, or not understood", () => {
  const piece = fc.constantFrom(
    ..."{}()[];,='\"\\#\n a1.e+-</*%:>R",
    "struct s ",
    "__attribute__",
    "f()",
    "{ }",
    ";\n",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join("");
      const bare = (of: string): string => of.replace(/\s+/g, "");
      const chunks = cut(text);
      if (chunks !== undefined) expect(bare(chunks.join(""))).toBe(bare(text));
    }),
    { numRuns: 2000 },
  );
});

test("names are found in identifiers, in strings and in pragmas", () => {
  const text = 'int one;\nint two = sizeof(one);\nasm("\\tone\\n");\n#pragma weak one\nint one_more;\nint a1one;\n';
  const chunks = cutChunks(Buffer.from(text));
  expect([...(chunks?.mentioning(new Set(["one"])) ?? [])]).toEqual([3, 2, 1, 0]);
});

test("a name that strings beside each other make together is found", () => {
  const chunks = cutChunks(Buffer.from('asm(".weak on" "" "e2" "_3\\n4");\nasm("on", "e2_3");'));
  expect([...(chunks?.mentioning(new Set(["one2_3"])) ?? [])]).toEqual([0]);
});
