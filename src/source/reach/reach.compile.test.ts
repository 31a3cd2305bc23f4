import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { alignChunks } from "./align.ts";
import { type Chunks, cutChunks } from "./chunks.ts";
import { declarationOf } from "./declaration.ts";
import { reachesCode } from "./reach.ts";

function chunksOf(text: string): Chunks {
  const chunks = cutChunks(Buffer.from(text));
  if (chunks === undefined) throw new Error(`not cut: ${text}`);
  return chunks;
}

function isReached(original: string, patched: string): boolean {
  const [before, after] = [chunksOf(original), chunksOf(patched)];
  const alignment = alignChunks(before.digests, after.digests);
  if (alignment === undefined) return true;
  const removed = alignment.removed.map(({ index }) => declarationOf(before.text(index)));
  return reachesCode(after, alignment, removed);
}

/** What gcc makes of a text, but for the numbers that it gives to labels. */
function assembly(text: string): string {
  const args = ["-O2", "-w", "-fno-asynchronous-unwind-tables", "-S", "-x", "c", "-o", "-", "-"];
  const output = execFileSync("gcc", args, { input: text, encoding: "utf8" });
  return output.replace(/\.L[A-Z]*\d+/g, ".L").replace(/\b([a-z]\w*)\.\d+\b/g, "$1.N");
}

const UNIT = `
struct list { struct list *next; };
struct page { int flags; struct list lru; };
enum kind { ONE, TWO };
extern int used(struct page *page);
int unused(struct page *page);
static inline int first(struct page *p) { return p->flags; }
static inline int second(struct page *p) { return first(p) + 1; }
int unit(struct page *page) { return used(page) + first(page) + TWO; }
`;

const inHeader = (text: string): string => UNIT.replace("extern int used", `${text}\nextern int used`);

test.each([
  ["a declaration more", inHeader("extern int more(struct page *page);")],
  ["a declaration that nothing uses, changed", UNIT.replace("int unused(struct", "long unused(int a, struct")],
  ["one less", UNIT.replace("int unused(struct page *page);", "")],
  [
    "an inline function with a static variable of its own",
    inHeader("static inline int more(void) { static int n; return n++; }"),
  ],
  [
    "an inline function whose static variable has a section",
    inHeader(
      'static inline int more(void) { static int n __attribute__((section("debug"), aligned(8))); return n++; }',
    ),
  ],
  ["another inline function, and the one that uses it", UNIT.replace("return first(p) + 1", "return first(p) + 2")],
  ["a type and what it is used by", inHeader("struct more { int a; enum { MORE } b; };\nint more(struct more *m);")],
  ["a static table", inHeader("static const int more[] = { 1, 2, 3 };")],
  ["a typedef, and a tag that was known", inHeader("typedef struct page *page_t;")],
  ["a type that is only known by name", inHeader("struct strange;\nint more(struct strange *s);")],
])("%s cannot reach code that does not use it", (_, patched) => {
  expect(isReached(UNIT, patched)).toBe(false);
  expect(assembly(patched)).toBe(assembly(UNIT));
});

test.each([
  ["an inline function", UNIT.replace("return p->flags", "return p->flags + 1")],
  ["a type, through its pointer alone", UNIT.replace("struct list *next;", "struct list *next, *prev;")],
  ["an enumerator's value", UNIT.replace("ONE, TWO", "ONE, AND, TWO")],
  ["a declaration's attribute", inHeader("extern int used(struct page *page) __attribute__((noreturn));")],
  [
    "an attribute in a block that nothing runs",
    inHeader("static inline void f(void) { extern int used(struct page *) __attribute__((const)); }"),
  ],
  [
    "the same without extern",
    inHeader("static inline void f(void) { int used(struct page *) __attribute__((const)); }"),
  ],
  ["a variable", inHeader("int more;")],
  ["a function", inHeader("int more(void) { return 1; }")],
  ["a pragma", inHeader("#pragma pack(1)\n")],
  ["a name that the unit's own function has inside", inHeader("extern int page;")],
  [
    "the order of a type and its use",
    UNIT.replace("struct list { struct list *next; };", "").replace(
      "int unused",
      "struct list { struct list *next; };\nint unused",
    ),
  ],
  ["a function's own code", UNIT.replace("+ TWO", "- TWO")],
])("%s that code uses reaches it", (_, patched) => {
  expect(isReached(UNIT, patched)).toBe(true);
});

test("what a function sees of a type that it does not name reaches it", () => {
  const text = `
struct inner { int a; };
struct outer { struct inner *in; };
typedef struct outer outer_t;
extern outer_t *get(void);
int unit(void) { return get()->in->a; }
`;
  expect(isReached(text, text.replace("int a;", "char pad; int a;"))).toBe(true);
});

test("a function that an alias makes of a string is used", () => {
  const text = (value: number) => `
static inline __attribute__((noinline)) int target(void) { return ${value}; }
int unit(void) __attribute__((alias("tar" "get")));
`;
  expect(isReached(text(1), text(2))).toBe(true);
});

test("a builtin's other name is used", () => {
  const text = "int unit(int a) { return __builtin_popcount(a); }\n";
  expect(isReached(text, `extern int popcount(int) __attribute__((const));\n${text}`)).toBe(true);
});

test("a tag that is mentioned before it is declared is one that code may see otherwise", () => {
  const text = "extern int f(struct late *p);\nstruct late { int a; };\nint unit(struct late *p) { return p->a; }\n";
  expect(isReached(text, `struct late *more(void);\n${text}`)).toBe(true);
});

test("a declaration that code uses reaches it where it is only moved", () => {
  const [f, g, unit] = ["extern int f(void);\n", "extern int g(void);\n", "int unit(void) { return f(); }\n"];
  expect(isReached(f + g + unit, g + f + unit)).toBe(true);
});

/** A type that points to an earlier one, and something that is declared with it. */
interface Entity {
  readonly to: number;
  readonly form: number;
  readonly size: number;
  readonly value: number;
}

const entity: fc.Arbitrary<Entity> = fc.record({
  to: fc.nat({ max: 20 }),
  form: fc.nat({ max: 6 }),
  size: fc.integer({ min: 1, max: 4 }),
  value: fc.nat({ max: 4 }),
});

function chunksFor({ to, form, size, value }: Entity, name: number): string {
  const type = `struct s${name}`;
  const pointed = `struct s${name === 0 ? 0 : to % name}`;
  const forms = [
    `extern ${type} *get${name}(int, ${pointed} *) __attribute__((${value % 2 === 0 ? "const" : "pure"}));`,
    `enum { K${name} = ${value} };`,
    `typedef struct { char pad[${value + 1}]; ${type} in; } t${name};`,
    `static inline int in${name}(${type} *s) { return (s == 0) + sizeof(*s->p) + ${value}; }`,
    `extern ${type} var${name}[${value + 1}];`,
    `static const int table${name}[] = { sizeof(${type}), ${value} };`,
    `static inline int block${name}(void) { extern int shared(void) __attribute__((cold)); return shared() + ${value}; }`,
  ];
  return `${type} { char pad[${size}]; ${pointed} *p; };\n${forms[form]}\n`;
}

function useOf({ form }: Entity, name: number): string {
  const uses = [
    `get${name}(1, 0)->pad[0]`,
    `K${name}`,
    `sizeof(t${name})`,
    `in${name}(0)`,
    `sizeof(var${name}[0].p->pad)`,
    `table${name}[0] * table${name}[1]`,
    `block${name}()`,
  ];
  return uses[form] as string;
}

test("what is not reached has the same code, whatever of the declarations is changed", () => {
  let unreached = 0;
  const texts = fc.record({
    entities: fc.array(entity, { minLength: 2, maxLength: 10 }),
    edits: fc.array(fc.record({ at: fc.nat(), entity, keepsForm: fc.boolean() }), { minLength: 1, maxLength: 2 }),
    more: fc.array(entity, { maxLength: 2 }),
    used: fc.array(fc.nat(), { minLength: 1, maxLength: 2 }),
  });
  fc.assert(
    fc.property(texts, ({ entities, edits, more, used }) => {
      const uses = used.map((at) => useOf(entities[at % entities.length] as Entity, at % entities.length));
      const patched = [...entities];
      for (const { at, entity: other, keepsForm } of edits) {
        const index = at % entities.length;
        const { form } = entities[index] as Entity;
        const isUsed = used.some((each) => each % entities.length === index);
        patched[index] = keepsForm || isUsed ? { ...other, form } : other;
      }
      const code = `int unit(void) { return ${uses.join(" + ")}; }\n`;
      const textOf = (all: readonly Entity[]): string => all.map(chunksFor).join("") + code;
      const [before, after] = [textOf(entities), textOf([...patched, ...more])];
      if (isReached(before, after)) return;
      unreached++;
      expect(assembly(after)).toBe(assembly(before));
    }),
    { numRuns: 150, interruptAfterTimeLimit: 20_000 },
  );
  expect(unreached).toBeGreaterThan(0);
});
