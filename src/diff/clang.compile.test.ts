import { describe, expect, test } from "vitest";
import { clangElf, compared, comparedElf } from "./compiled.fixture.ts";

/** No hooks are asked for, since objtool has not listed any. */
const byClang = (original: string, patched: string) =>
  comparedElf(clangElf(original), clangElf(patched), { needsHook: false });

describe("two static locals of one name in one function", () => {
  const one = "{ static int n; n += a; outside(n); }";
  const other = "{ static int n; n = n * 3 + a; other(n); }";
  const source = (blocks: string) => `int f(int a) { ${blocks} return a; }`;

  test.each([
    ["gcc", compared],
    ["clang", byClang],
  ])("are not told from each other where one comes or goes, by %s", (_compiler, diff) => {
    expect(diff(source(one), source(other + one)).refusals).toEqual(["STATIC_LOCAL_AMBIGUOUS"]);
    expect(diff(source(one), source(one + other)).refusals).toEqual(["STATIC_LOCAL_AMBIGUOUS"]);
    expect(diff(source(other + one), source(one)).refusals).toEqual(["STATIC_LOCAL_AMBIGUOUS"]);
    expect(diff(source(other + one), source(one + other)).refusals).toEqual(["STATIC_LOCAL_AMBIGUOUS"]);
    const changed = diff(source(other + one), source(other + one.replace("n += a", "n -= a")));
    expect(changed.refusals).toEqual([]);
  });
});

describe("what clang names by its function", () => {
  const source = (body: string) => `int f(int a) { ${body} return a; }`;
  const counted = "static int n; n += a; outside(n);";

  test("is the running static local, and another one if it has another name", () => {
    const kept = byClang(source(counted), source(counted.replace("+=", "-=")));
    expect(kept.targets("f").filter((target) => target.includes("f.n"))).toContain("original f.n");
    const added = byClang(source(counted), source(`static int m; m += 2 * a; outside(m); ${counted}`));
    expect([added.refusals, added.pieces]).toEqual([[], ["f", "f.m"]]);
  });

  test("is brought anew where it says only that something was shown", () => {
    const once =
      'static _Bool __section(".data.once") __already_done; if (a && !__already_done) { __already_done = 1; printk("x"); }';
    const again = once.replaceAll("x", "y");
    const result = byClang(source(`{ ${once} } { ${again} }`), source(`{ ${again} }`));
    expect([result.refusals, result.funcs]).toEqual([[], ["f"]]);
  });

  test("constants without a name travel with the code that reads them", () => {
    const table =
      "switch (a & 7) { case 0: return 17; case 1: return 4; case 2: return 99; case 3: return 23; case 4: return 8; case 5: return 41; default: return 2; }";
    const original = `int f(int a) { return a; }`;
    const result = byClang(original, `static noinline int g(int a) { ${table} } int f(int a) { return g(a); }`);
    expect([result.refusals, result.funcs]).toEqual([[], ["f"]]);
    const parts = "struct part { const char *text; long from; int kinds[6]; }; int use(struct part *);";
    const filled = byClang(
      `${parts} ${source("")}`,
      `${parts} ${source('struct part p = { "abc", 17, { 5, 4, 3, 2, 1, a } }; use(&p);')}`,
    );
    expect([filled.refusals, filled.funcs]).toEqual([[], ["f"]]);
  });
});
