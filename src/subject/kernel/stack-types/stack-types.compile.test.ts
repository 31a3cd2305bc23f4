/** Functions that may hold a variable of a struct whose layout changes, and whose code stays. */
import { expect, test } from "vitest";
import { compared } from "../../../diff/compiled.fixture.ts";
import { structUses } from "../../../source/struct-uses.ts";
import { unchangedHolder } from "./stack-types.ts";

function holder(original: string, patched: string): string | undefined {
  const uses = structUses(Buffer.from(original), "s");
  if (uses === undefined) throw new Error("not understood");
  return unchangedHolder(uses, compared(original, patched).diff);
}

const HEAD = "extern int fill(int *), take(void *);";
const moved = (text: string) => text.replace("struct s { int a, b; }", "struct s { int n[8]; int a, b; }");

test("none, where each function that has one changes with it", () => {
  const source = `${HEAD} struct s { int a, b; }; int f(void) { struct s s; fill(&s.a); return s.b; }`;
  expect(holder(source, moved(source))).toBeUndefined();
});

const swapped = (text: string) => text.replace("int a, b, c;", "int a, c, b;");

test("one that hands on what stays where it was", () => {
  const source = `${HEAD} struct s { int a, b, c; }; int f(void) { struct s s; fill(&s.a); return s.a; }`;
  expect(holder(source, swapped(source))).toBe("f");
});

test("one that a function was inlined into which has it", () => {
  const source = `${HEAD} struct s { int a, b, c; }; static inline int in(void) { struct s s; fill(&s.a); return s.a; }
    int outer(int n) { return n + in(); } noinline int other(int n) { return n * 3 + in(); }`;
  expect(holder(source, swapped(source).replace("n * 3", "n * 4"))).toBe("outer");
});

test("not one that calls a function which has it", () => {
  const source = `${HEAD} struct s { int a, b; }; static noinline int in(int n) { struct s s; fill(&s.a); return s.b + n; }
    int outer(int n) { return in(n) + in(n + 1); }`;
  expect(holder(source, moved(source))).toBeUndefined();
});

test("not one that only points to it, at a place that stays", () => {
  const source = `${HEAD} struct s { int a, b; }; noinline int first(struct s *p) { return p->a * 7; }
    int f(void) { struct s s; fill(&s.b); return first(&s) + s.b; }`;
  const patched = source.replace("int a, b; };", "int a; int n[8]; int b; };");
  expect(holder(source, patched)).toBeUndefined();
});
