import { expect, test } from "vitest";
import { compared } from "./compiled.fixture.ts";
import { neverSetUp } from "./set-up.ts";

function refused(patched: string): string[] {
  const { diff } = compared("int use(int n) { return outside(n); }\n", patched);
  return neverSetUp([diff]).map(({ code, what }) => `${code} ${/^\w+/.exec(what)}`);
}

const USE = "int use(int n) { return outside(n) + level; }\n";

test.each([
  ["an initcall", "void __init start(void) { level = outside(1); }"],
  [
    "what only an initcall calls",
    "static noinline void set(void) { level = outside(1); } void __init start(void) { set(); other(2); }",
  ],
  ["an initcall that passes its address", "extern void fill(int *); void __init start(void) { fill(&level); }"],
  ["an initcall that adds to it", "void __init start(void) { level += 3; }"],
  ["a table that an initcall goes through", "static int *all[] __initdata __used = { &level };"],
  ["a constructor", "__attribute__((constructor)) static void start(void) { level = outside(1); }"],
])("a new variable that %s sets up is refused", (_what, start) => {
  expect(refused(`static int level;\n${USE}${start}\n`)).toEqual(["NEEDS_INIT level"]);
});

test.each([
  ["has an initial value", ""],
  ["start code only reads", "int __init start(void) { return level > 3 ? outside(level) : 0; }"],
  ["running code sets up too", "noinline void set(int n) { level = n; } void __init start(void) { set(3); }"],
  [
    "a parameter of the command line sets",
    'static void __init set(int n) { level = n; } int __init asked(char *s) { set(*s); return 1; } static void *entry[] __section(".init.setup") __used = { asked };',
  ],
  [
    "a function sets up that start code hands out",
    "extern void give(void (*)(int)); static void set(int n) { level = n; } void __init start(void) { give(set); }",
  ],
  [
    "a callback sets up as well",
    'void __init start(void) { level = outside(1); } static int made(void) { level = outside(1); return 0; } static void *callback __used __section(".suture.callback.pre_patch") = made;',
  ],
])("a new variable that %s is not", (_what, start) => {
  expect(refused(`static int level = 5;\n${USE}${start}\n`)).toEqual([]);
});

test("a variable that was there before keeps what it holds", () => {
  const original = "static int level = 5;\nint use(int n) { return outside(n) * level; }\n";
  const { diff } = compared(
    `${original}void __init start(void) { level = 1; }`,
    `static int level = 5;\n${USE}void __init start(void) { level = 2; }`,
  );
  expect(neverSetUp([diff])).toEqual([]);
});
