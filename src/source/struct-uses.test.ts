import { describe, expect, test } from "vitest";
import { structUses } from "./struct-uses.ts";

const TYPE = "struct ctx { int pos; }; struct s { struct ctx ctx; int a; };";
const CONTAINER =
  '({ void *__mptr = (void *)(p); _Static_assert(__builtin_types_compatible_p(typeof(*(p)), typeof(((struct s *)0)->ctx)), "no"); ((struct s *)(__mptr - __builtin_offsetof(struct s, ctx))); })';

function uses(text: string, type = TYPE) {
  const found = structUses(Buffer.from(`${type} ${text}`), "s");
  return found === undefined ? "not understood" : (found.reason ?? [...found.creators]);
}

describe("all objects of a struct are automatic variables where", () => {
  test("functions have them and pass their addresses down", () => {
    expect(uses("int f(void) { struct s s = { .a = 1 }; return g(&s.ctx) + s.a; }")).toEqual(["f"]);
    expect(uses("int g(struct s *p, int n); int f(void) { struct s s; return g(&s, 1); }")).toEqual(["f"]);
    expect(
      uses("static int __attribute__((noinline)) f(int n) { const struct s s = {}, *p = &s; return p->a; }"),
    ).toEqual(["f"]);
    expect(uses("int f(void) { struct s *p, s; p = &s; return p->a; }")).toEqual(["f"]);
    expect(uses("int f(void) { struct s all[3]; return all[1].a; }")).toEqual(["f"]);
    expect(
      uses("int g(struct s *p); int f(void) { struct s one, all[3] = {}, *p = &all[1]; return g(&all[2]) + p->a; }"),
    ).toEqual(["f"]);
    expect(
      uses("int g(struct s *p); int f(void) { struct s one, all[3] = {}, *p = &all[1]; return g(&all[2]) + p->a; }"),
    ).toEqual(["f"]);
    expect(uses("int f(struct s by) { return by.a; }")).toEqual(["f"]);
  });

  test("it is compared, and chosen by conditions", () => {
    expect(
      uses("int f(struct s *p, struct s *q) { if (p && q != p && !q) return p->a; while (p) p = q; return p == q; }"),
    ).toEqual([]);
  });

  test("what is pointed to is one", () => {
    expect(
      uses("int g(struct s *p); static int g(struct s *p) { return p->a; } int f(void) { struct s s; return g(&s); }"),
    ).toEqual(["f"]);
    expect(uses("int h(struct s *); static struct s *self(struct s *p) { return p; }")).toEqual([]);
    expect(uses("struct other { struct s *now; };")).toEqual([]);
  });

  test("a member's address leads back to it", () => {
    expect(uses(`int cb(struct ctx *p) { struct s *s = ${CONTAINER}; return s->a; }`)).toEqual([]);
    const newer = (tag: string) => `((struct s *)((void *)(p + 0) - __builtin_offsetof(struct ${tag}, ctx)))`;
    expect(uses(`int cb(struct ctx *p) { struct s *s = ${newer("s")}; return s->a; }`)).toEqual([]);
    expect(uses(`int cb(struct ctx *p) { struct s *s = ${newer("t")}; return s->a; }`)).toMatch(/by a cast/);
    expect(uses("int cb(void *p) { struct s *s = (struct s *)((void *)(p) - 8); return s->a; }")).toMatch(/by a cast/);
  });

  test("the size of a member is taken", () => {
    expect(uses("int f(void) { struct s s; return g(sizeof(s.a)); }")).toEqual(["f"]);
    expect(uses("int f(struct s *p) { return sizeof(p->a); }")).toEqual([]);
  });
});

describe("some may be elsewhere where", () => {
  const cases: readonly [string, string, RegExp][] = [
    ["a variable of the file is one", "static struct s one;", /not automatic/],
    ["a variable of the file points to one", "static struct s *one;", /not automatic/],
    ["a static local is one", "int f(void) { static struct s one; return one.a++; }", /not automatic/],
    [
      "a static const local is one",
      "int f(void) { static const struct s one = { .a = 1 }; return one.a; }",
      /not automatic/,
    ],
    ["another struct holds one", "struct t { int b; struct s s; };", /part of another type/],
    ["another struct holds some", "struct t { struct s s[4]; };", /part of another type/],
    ["a union holds one", "union u { struct s s; long raw[4]; };", /part of another type/],
    ["its size is taken by its name", "void *f(void) { return kmalloc(sizeof(struct s), 1); }", /measured by its name/],
    [
      "its size is taken by a pointer",
      "int f(void) { struct s *p; p = kmalloc(sizeof(*p), 1); return p->a; }",
      /size taken/,
    ],
    [
      "its size is taken by a pointer, without brackets",
      "int f(void) { struct s *p; p = kmalloc(sizeof *p, 1); return 0; }",
      /size taken/,
    ],
    ["its bytes are copied", "int f(char *to) { struct s s; memcpy(to, &s, sizeof(s)); return 0; }", /size taken/],
    ["memory is cast to it", "int f(struct skb *b) { return ((struct s *)b->cb)->a; }", /by a cast/],
    ["memory is cast to it, with a qualifier", "int f(void *b) { return ((const struct s *)b)->a; }", /by a cast/],
    [
      "memory is cast to a pointer's type",
      "int f(void *b) { struct s *p; p = (typeof(*p) *)b; return p->a; }",
      /by a cast/,
    ],
    [
      "a static local with an attribute is one",
      "int f(void) { static __attribute__((aligned(64), used)) struct s one; return one.a; }",
      /not automatic/,
    ],
    [
      "its address goes to who has not the type",
      "int f(char *to) { struct s s; memcpy(to, &s, 16); return 0; }",
      /handed to memcpy/,
    ],
    [
      "its address goes there with a cast",
      "int f(char *to) { struct s s; keep(1, (void *)&s); return 0; }",
      /handed to keep/,
    ],
    ["a pointer to it goes there", "int f(struct s *p) { return keep(p); }", /handed to keep/],
    [
      "its address is kept by something of another type",
      "int f(struct t *t) { struct s s; void *v = &s; t->data = &s; return g(v); }",
      /pointed to by v/,
    ],
    [
      "a member of something else keeps its address",
      "int f(struct t *t) { struct s s; t->data = &s; return 0; }",
      /pointed to by data/,
    ],
    [
      "an element's address goes to who has not the type",
      "int f(char *to) { struct s all[2]; memcpy(to, &all[1], 16); return 0; }",
      /handed to memcpy/,
    ],
    [
      "an initializer has its address",
      "int f(void) { struct s s; struct t t = { 1, &s }; return g(&t); }",
      /initializer/,
    ],
    [
      "an initializer begins with its address",
      "int f(struct s *p) { struct t t = { p }; return g(&t); }",
      /not known|initializer/,
    ],
    [
      "a call within its own declaration has its address",
      "int f(void) { struct s s = { .a = keep(&s) }; return s.a; }",
      /handed to keep/,
    ],
    [
      "it is chosen among others",
      "int f(struct t *t, struct s *p, int c) { t->data = c ? p : 0; return 0; }",
      /not known/,
    ],
    ["its address is taken for a number", "int f(void) { struct s s; return keep((unsigned long)&s); }", /not known/],
    ["its address goes to assembly", 'int f(void) { struct s s; asm("" :: "r"(&s)); return 0; }', /not known|handed/],
    ["its address lands in an array", "int f(struct s *p) { kept[1] = p; return 0; }", /pointed to by something/],
    ["it is returned as something else", "void *f(struct s *p) { return p; }", /returned/],
    ["a typedef names it", "typedef struct s s_t;", /not automatic|another/],
    ["an array of the file has some", "struct s some[2] = { { .a = 1 } };", /not automatic/],
  ];
  for (const [name, text, why] of cases)
    test(name, () => {
      expect(uses(text)).toMatch(why);
    });

  test("it is defined with a name or a variable of its own", () => {
    expect(uses("", "struct s { int a; } one;")).toMatch(/together with/);
    expect(uses("", "typedef struct s { int a; } s_t;")).toMatch(/together with|another name/);
    expect(uses("int f(void) { struct s { int a; } one; return one.a; }", "")).toMatch(/within a function/);
  });

  test("the text is not plain C", () => {
    expect(structUses(Buffer.from("struct s { int a; "), "s")).toBeUndefined();
  });
});

test("functions are told with the names that they mention, for who may be part of whom", () => {
  const found = structUses(Buffer.from("int a(void) { return b() + b(); } int b(void) { return c; }"), "s");
  expect(found?.mentions.get("a")?.get("b")).toBe(2);
  expect([...(found?.mentions.keys() ?? [])]).toEqual(["a", "b"]);
});
