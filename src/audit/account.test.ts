import { describe, expect, test } from "vitest";
import { fromC } from "../elf/compiled.fixture.ts";
import { readElf } from "../elf/read.ts";
import type { FateRecord, FuncRecord } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { accountFor, type Claims } from "./account.ts";
import { compareObjects } from "./compare.ts";
import { lineNumbersOf } from "./line-numbers.ts";

const SOURCE = "input.c";

interface Said {
  readonly replaced?: readonly string[];
  readonly values?: readonly string[];
  readonly fates?: readonly FateRecord[];
  readonly code?: readonly string[];
  readonly running?: readonly string[];
  readonly notes?: Claims["metadata"]["notes"];
  readonly leftOut?: readonly Refusal[];
}

/** `KIND NAME` of what is found, sorted. */
function found(original: string, patched: string, said: Said = {}): string[] {
  const compiled = [original, patched].map((text) => readElf(fromC(text, "-O2", "-fno-pic"), SOURCE));
  const [a, b] = compiled as [(typeof compiled)[0], (typeof compiled)[0]];
  const comparison = compareObjects(a, b, {}, lineNumbersOf([{ original, patched }]));
  const func = (name: string): FuncRecord => ({
    name,
    sympos: 0,
    source: SOURCE,
    why: "its code is changed",
    size: { original: 1, patched: 1 },
  });
  const claims: Claims = {
    metadata: { newFunctions: [], notes: said.notes ?? [], leftOut: said.leftOut ?? [], fates: said.fates ?? [] },
    objects: [{ name: "vmlinux", funcs: (said.replaced ?? []).map(func), values: said.values }],
    isRunning: (name) => said.running?.includes(name) === true,
    hasCode: (name) => [...(said.replaced ?? []), ...(said.code ?? [])].includes(name),
    binds: () => false,
    hasSection: () => false,
  };
  return accountFor(SOURCE, comparison, claims)
    .findings.map(({ kind, name }) => `${kind} ${name}`)
    .sort();
}

const fate = (name: string, section: string): FateRecord => ({
  source: SOURCE,
  name,
  section,
  fate: "without-effect",
  why: "nothing that runs refers to it",
});

const INIT = '__attribute__((section(".init.text"))) ';

test("a changed function that is not replaced is found, and one that is is not", () => {
  const pair = ["int f(int a) { return a; }", "int f(int a) { return a + 1; }"] as const;
  expect(found(...pair)).toEqual(["unaccounted f"]);
  expect(found(...pair, { replaced: ["f"] })).toEqual([]);
});

test("a function that is replaced and is the same is idle, unless what travels with it differs", () => {
  const same = "int f(int a) { return a; } int g(int a) { return a; }";
  expect(found(same, same, { replaced: ["f"] })).toEqual(["idle f"]);
  const table = (value: number) => `static const int t[4] = { 1, 2, ${value}, 4 }; int f(int a) { return t[a]; }`;
  expect(found(table(3), table(5), { replaced: ["f"] })).toEqual([]);
});

test("a constant that others use as well is not accounted for by those that are replaced", () => {
  const text = (value: number) =>
    `static const int t[4] = { 1, 2, ${value}, 4 }; int f(int a) { return t[a]; } int g(int a) { return t[a + 1]; }`;
  expect(found(text(3), text(5), { replaced: ["f"] })).toEqual(["unaccounted t"]);
  expect(found(text(3), text(5), { replaced: ["f", "g"] })).toEqual([]);
  expect(found(text(3), text(5), { values: ["t"] })).toEqual([]);
});

test("a table that init code hands out is found, though the livepatch says that nothing refers to it", () => {
  const text = (shown: string) =>
    `void hand_out(const void *); static int a(void) { return 1; } static int b(void) { return 2; }
     static int (*const ops[])(void) = { a, ${shown} }; ${INIT}void start(void) { hand_out(ops); }
     int (*volatile keep[])(void) = { a, b };`;
  expect(found(text("a"), text("b"), { fates: [fate("ops", ".rodata")] })).toEqual(["unaccounted ops"]);
});

test("a live variable that is renamed is found, unless the user is told of it by name", () => {
  const text = (name: string) => `static int ${name} = 3; int f(void) { return ${name}++; }`;
  expect(found(text("old"), text("other"), { replaced: ["f"] })).toEqual(["unaccounted old"]);
  const notes = [{ code: "STATE_LOST", text: "what old holds is lost" }];
  expect(found(text("old"), text("other"), { replaced: ["f"], notes })).toEqual([]);
});

test("a new function whose name runs already is not simply new", () => {
  const patched = "int f(void) { return 1; }";
  expect(found("", patched, { code: ["f"] })).toEqual([]);
  expect(found("", patched, { code: ["f"], running: ["f"] })).toEqual(["unaccounted f"]);
});

test("a new entry of a section that the livepatch does not have is found", () => {
  const use = (more: string) => `int f(int a) { return a${more}; }`;
  const patched = `${use(" + 1")} static int (*const entry)(int) __attribute__((used, section("__new_kind"))) = f;`;
  expect(found(use(""), patched, { replaced: ["f"] })).toEqual(["unaccounted entry"]);
});

describe("an initcall", () => {
  const text = (initcall: string) => `
    ${INIT}__attribute__((used)) static int start(void) { return 0; }
    ${initcall}
  `;
  const initcall =
    '__attribute__((used, section(".initcall7.init"))) static int (*const __initcall_start7)(void) = start;';
  const leftOut = (what: string) => [refusal("INIT_ALREADY_RAN", what, SOURCE, "")];

  test("that is new, or gone, is found unless what it calls is named as left out", () => {
    for (const pair of [[text(""), text(initcall)] as const, [text(initcall), text("")] as const]) {
      const fates = [fate("__initcall_start7", ".initcall7.init")];
      expect(found(...pair, { fates })).toEqual(["unaccounted __initcall_start7"]);
      expect(found(...pair, { fates, leftOut: leftOut("another is new") })).toEqual(["unaccounted __initcall_start7"]);
      expect(found(...pair, { leftOut: leftOut("start is new") })).toEqual([]);
    }
  });

  test("is found where only another one's function is named", () => {
    const other = "__attribute__((used)) static int other(void) { return 0; }";
    const patched = `${other} ${text(initcall.replace("= start", "= other"))}`;
    expect(found(`${other} ${text("")}`, patched, { leftOut: leftOut("start is new") })).toEqual([
      "unaccounted __initcall_start7",
    ]);
  });
});

test("what is new in a table that is read at load is found unless the table is named as left out", () => {
  const text = (more: string) => `struct meta { int number; } first = { 1 }; ${more}`;
  const entry =
    'static struct meta second = { 2 }; __attribute__((used, section("_ftrace_events"))) static struct meta *entry = &second;';
  expect(found(text(""), text(entry))).toEqual(["unaccounted entry", "unaccounted second"]);
  const leftOut = [refusal("READ_AT_LOAD_TIME", "_ftrace_events has a new entry", SOURCE, "")];
  expect(found(text(""), text(entry), { leftOut })).toEqual([]);
});
