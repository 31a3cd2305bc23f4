/** Constants whose running version is held by somebody, when a new one comes. */
import { expect, test } from "vitest";
import { compared } from "../compiled.fixture.ts";
import type { DiffOptions } from "../options.ts";
import { kernelContracts } from "./kernel-contracts.ts";
import { leftBehind } from "./left-behind.ts";
import { ANY } from "./sources.ts";
import { staysOf } from "./stays.ts";

const PROGRAM: Partial<DiffOptions> & { readonly gcc: readonly string[] } = { needsHook: false, gcc: [] };

function refused(source: string, from: string, to: string): string[] {
  const { diff } = compared(source, source.replace(from, to), PROGRAM);
  expect(diff.refusals).toEqual([]);
  expect(diff.selection.pieces.length).toBeGreaterThan(0);
  const units = [{ selection: diff.selection, isThere: () => true }];
  return leftBehind(units, staysOf(units, kernelContracts(false))).map(({ code, what }) => `${code} ${what}`);
}

const HOLD = `
struct kind { int width; int more[8]; };
struct node { const struct kind *kind; };
static const struct kind plain = { 1 }, wide = { 2 };
`;

test("one that is stored is refused", () => {
  const source = `${HOLD} void set(struct node *node, int n) { node->kind = n ? &wide : &plain; }`;
  expect(refused(source, "{ 2 }", "{ 3 }")).toEqual([
    expect.stringContaining(
      "CONSTANT_IN_USE the constant wide is changed, and its address gets out: in set it is stored",
    ),
  ]);
});

test("one that is returned, or passed to what may keep it, is refused", () => {
  const returned = `${HOLD} const struct kind *get(int n) { return n ? &wide : &plain; }`;
  expect(refused(returned, "{ 2 }", "{ 3 }")).toHaveLength(1);
  const passed = `${HOLD} extern int enroll(const struct kind *); int add(int n) { return enroll(&wide) + n; }`;
  expect(refused(passed, "{ 2 }", "{ 3 }")).toHaveLength(1);
});

test("one that is read alone, and one that is new, are brought", () => {
  const read = `${HOLD} int width(int n) { return wide.more[n & 7] + plain.width; }`;
  expect(refused(read, "{ 2 }", "{ 2, { 1 } }")).toEqual([]);
  const set = "void set(struct node *node, int n) { node->kind = n ? &wide : &plain; }";
  const more = `static const struct kind third = { 9 }; ${set.replace("n ? &wide", "n ? &third")}`;
  expect(refused(HOLD + set, set, more)).toEqual([]);
});

test("a table of functions is refused where one that was handed out was in its place, and led elsewhere", () => {
  const source = `
    struct kind { int (*width)(int); }; struct node { const struct kind *kind; };
    static int width(int n) { return outside(n) + 1; }
    static const struct kind wide = { width };
    void set(struct node *node) { node->kind = &wide; outside(1); }`;
  const renamed = source
    .replace("kind wide", "kind broad")
    .replace("&wide", "&broad")
    .replace("outside(1)", "outside(2)");
  const change = (text: string) => {
    const { diff } = compared(source, text, PROGRAM);
    const units = [{ selection: diff.selection, isThere: () => true }];
    return leftBehind(units, staysOf(units, kernelContracts(false))).map(({ what }) => what);
  };
  expect(
    change(
      renamed.replaceAll("width(int n)", "measure(int n)").replace("{ width }", "{ measure }").replace("+ 1", "+ 3"),
    ),
  ).toEqual([expect.stringContaining("the constant broad takes the place of wide, and its address gets out: in set")]);
  expect(change(renamed.replace("+ 1", "+ 3"))).toEqual([]);
});

test("addresses of labels that are kept are refused, where their function changes", () => {
  const source = `
    int run(void **code, int n) {
      static const void *const labels[] = { &&add, &&twice, &&stop };
      if (n < 3) { code[n] = (void *)labels[n]; return 0; }
      int a = n, i = 0;
      goto *code[i++];
    add: a += outside(a); goto *code[i++];
    twice: a *= 2; goto *code[i++];
    stop: return a;
    }`;
  expect(refused(source, "a *= 2", "a *= other(a)")).toHaveLength(1);
});

test("where the code cannot be followed it is not known to be read alone", () => {
  const read = `${HOLD} int width(int n) { return wide.more[n & 7] + plain.width; }`;
  const { diff } = compared(read, read.replace("{ 2 }", "{ 2, { 1 } }"), PROGRAM);
  const units = [{ selection: diff.selection, isThere: () => true }];
  const stay = { source: diff.selection.unit, function: "width", what: ANY, how: "cannot be followed" };
  expect(leftBehind(units, [])).toEqual([]);
  expect(leftBehind(units, [stay]).map(({ what }) => what)).toEqual([
    expect.stringContaining("may get out: in width an address of the livepatch cannot be followed"),
  ]);
});
