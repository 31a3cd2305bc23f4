import { describe, expect, test } from "vitest";
import { fromC } from "../elf/compiled.fixture.ts";
import { readElf } from "../elf/read.ts";
import type { RefusalCode } from "../lib/codes.ts";
import type { FateRecord, FuncRecord, LeftOutRecord } from "../patch/metadata.ts";
import { refusal } from "../patch/refusal.ts";
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
  readonly leftOut?: readonly LeftOutRecord[];
  /** What the file does, where it is not what it says. */
  readonly redirects?: readonly string[];
  /** Functions that are replaced by what another file defines. */
  readonly elsewhere?: readonly string[];
  /** Of functions in whose place others have come. */
  readonly newName?: Readonly<Record<string, string>>;
  readonly isModule?: boolean;
  /** That the livepatch has. */
  /** What entries of these sections point to. */
  readonly entriesTo?: readonly string[];
  readonly sections?: readonly string[];
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
    ...(said.newName?.[name] === undefined ? {} : { newName: said.newName[name] }),
    size: { original: 1, patched: 1 },
  });
  const moved = (said.elsewhere ?? []).map((name) => ({ ...func(name), source: "another.c" }));
  const claims: Claims = {
    metadata: { leftOut: said.leftOut ?? [], fates: said.fates ?? [] },
    objects: [{ name: "vmlinux", funcs: [...(said.replaced ?? []).map(func), ...moved] }],
    effects: {
      redirects: (name, newName) =>
        (said.redirects ?? [...(said.replaced ?? []), ...(said.elsewhere ?? [])]).includes(name) &&
        newName === (said.newName?.[name] ?? name),
      writes: (name) => said.values?.includes(name) === true,
      overwrites: ({ name }) => said.values?.includes(name) === true,
      grants: () => false,
    },
    isRunning: (name) => said.running?.includes(name) === true,
    hasCode: (name) => [...(said.replaced ?? []), ...(said.code ?? [])].includes(name),
    binds: () => false,
    gathered: {
      hasSection: (name) => said.sections?.includes(name) === true,
      hasEntry: (_, targets) =>
        targets.length > 0 && targets.every(({ name }) => said.entriesTo?.includes(name) === true),
    },
  };
  const { unaccounted, findings } = accountFor(
    { source: SOURCE, isModule: said.isModule === true, comparison },
    claims,
  );
  return [
    ...unaccounted.map(({ name }) => `unaccounted ${name}`),
    ...findings.map(({ kind, name }) => `${kind} ${name}`),
  ].sort();
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

test("a function of which an unlikely part alone leads to what differs is not idle", () => {
  const text = (name: string) => `void report(const char *);
    static void __attribute__((noinline, noclone, cold)) ${name}(void) { report("a"); }
    int f(int a) { if (a == 7) ${name}(); return a + 1; }`;
  expect(found(text("tell"), text("tell_more"), { replaced: ["f"], code: ["tell_more"] })).toEqual([]);
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

test("a constant that is renamed is the same, and one that holds something else is not", () => {
  const text = (name: string, value = 3) =>
    `static const int ${name}[4] = { 1, 2, ${value}, 4 }; int f(int a) { return ${name}[a]; }`;
  expect(found(text("old"), text("other"))).toEqual([]);
  expect(found(text("old"), text("other", 5))).toEqual(["unaccounted f", "unaccounted old", "unaccounted other"]);
});

test("a function of the file alone that is renamed is the same, and one that does something else is not", () => {
  const text = (name: string, value = 3) =>
    `static int ${name}(int a) { return a * ${value}; } int (*const table[])(int) = { ${name} };`;
  expect(found(text("old"), text("other"))).toEqual([]);
  expect(found(text("old"), text("other", 5))).toEqual(["unaccounted old", "unaccounted other", "unaccounted table"]);
});

test("a new variable behind an array is not used by who goes up to the array's end", () => {
  const text = (more: string, use: string) => `
    static long list[8]; ${more}
    long f(void) { long n = 0; for (volatile long *p = list; p < list + 8; p++) n += *p; return n; }
    long g(long a) { ${use} list[a & 7] = a; return a; }
  `;
  const patched = text("static volatile long more;", "if (more) a++;");
  expect(found(text("", ""), patched, { replaced: ["g"] })).toEqual([]);
  expect(found(text("", ""), patched, { replaced: ["f"] })).toEqual(["idle f", "unaccounted g", "unaccounted more"]);
});

test("a live variable that is renamed is found", () => {
  const text = (name: string) => `static int ${name} = 3; int f(void) { return ${name}++; }`;
  expect(found(text("old"), text("other"), { replaced: ["f"] })).toEqual(["unaccounted old"]);
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
  const sections = ["__new_kind"];
  expect(found(use(""), patched, { replaced: ["f"], sections, entriesTo: ["other"] })).toEqual(["unaccounted entry"]);
  expect(found(use(""), patched, { replaced: ["f"], sections, entriesTo: ["f"] })).toEqual([]);
});

test("a new entry points to what begins where something without bytes does too", () => {
  const text = (before: string, more: string) =>
    `void take(void *); static struct {} a; ${before} static struct {} b;
    int f(int n) { take(&a); take(&b); return n${more}; }`;
  const lock = "static long lock[4]; static void *const entry";
  const patched = text(`${lock} __attribute__((used, section("__new_kind"))) = lock;`, " + 1");
  const sections = ["__new_kind"];
  expect(found(text("", ""), patched, { replaced: ["f"], sections, entriesTo: ["lock"] })).toEqual([]);
  expect(found(text("", ""), patched, { replaced: ["f"], sections, entriesTo: ["f"] })).toContain("unaccounted entry");
});

test("a name that is newly exported is told of by the section that it is put into", () => {
  const text = (more: string) => `int f(void) { return 1; } ${more}`;
  const string = '__attribute__((used, section("__ksymtab_strings"))) static const char __kstrtab_f[] = "f";';
  const pair = [text(""), text(string)] as const;
  expect(found(...pair)).toEqual(["unaccounted __kstrtab_f"]);
  expect(found(...pair, { fates: [fate("__ksymtab_strings", "__ksymtab_strings")] })).toEqual([]);
  expect(found(...pair, { fates: [fate("__new_kind", "__new_kind")] })).toEqual(["unaccounted __kstrtab_f"]);
});

test("the key of a static call goes with the function that makes the call", () => {
  const key = `long key = 1; __attribute__((used, section(".discard.addressable"))) static long *keep = &key;`;
  const site = String.raw`asm volatile("1: nop\n.pushsection .static_call_sites, \"aw\"\n.long 1b - ., key - .\n.popsection");`;
  const text = (call: string) => `int f(int a) { ${call} return a; } int g(int a) { return a; }`;
  const pair = [text(""), `${key} ${text(site)}`] as const;
  expect(found(...pair, { replaced: ["f"] })).toEqual([]);
  expect(found(...pair, { replaced: ["g"] })).toEqual(["idle g", "unaccounted f", "unaccounted key"]);
});

/** A record that names pieces, `NAME SECTION`, and nothing of them in its sentence. */
const leftOut = (code: RefusalCode, ...pieces: string[]): LeftOutRecord => ({
  ...refusal(code, "something is left out", SOURCE, ""),
  pieces: pieces.map((each) => {
    const [name = "", section = name] = each.split(" ");
    return { source: SOURCE, section, name };
  }),
});

describe("an initcall", () => {
  const text = (initcall: string) => `
    ${INIT}__attribute__((used)) static int start(void) { return 0; }
    ${initcall}
  `;
  const initcall =
    '__attribute__((used, section(".initcall7.init"))) static int (*const __initcall_start7)(void) = start;';

  test("that is new, or gone, is found unless it is left out, and what it calls too", () => {
    const said = (...pieces: string[]) => ({ leftOut: [leftOut("INIT_ALREADY_RAN", ...pieces)] });
    for (const pair of [[text(""), text(initcall)] as const, [text(initcall), text("")] as const]) {
      const fates = [fate("__initcall_start7", ".initcall7.init")];
      for (const section of ["__initcall_start7 .initcall7.init", ".initcall7.init"]) {
        expect(found(...pair, { fates, ...said(section) })).toEqual(["unaccounted __initcall_start7"]);
        expect(found(...pair, { fates, ...said("start .init.text") })).toEqual(["unaccounted __initcall_start7"]);
        expect(found(...pair, said(section, "start .init.text"))).toEqual([]);
      }
    }
  });
});

describe("what is put into another section", () => {
  const text = (place: string, value = 3) =>
    `__attribute__((section("${place}"))) int v = ${value}; int f(void) { return v; }`;
  const record = leftOut("PLACE_STAYS", "v .data..ro_after_init");

  test("is found unless it is told of", () => {
    const pair = [text(".data..read_mostly"), text(".data..ro_after_init")] as const;
    expect(found(...pair)).toEqual(["unaccounted v"]);
    expect(found(...pair, { leftOut: [record] })).toEqual([]);
  });

  test("is found where it is another thing there, or holds something else", () => {
    for (const patched of [text(".data..percpu"), text(".data..ro_after_init", 4)])
      expect(found(text(".data..read_mostly"), patched, { leftOut: [record] })).toEqual(["unaccounted v"]);
  });
});

describe("what is left out", () => {
  test("is told of by the pieces of a record, and by no word of a sentence", () => {
    const pair = ["int f(int a) { return a; }", "int f(int a) { return a + 1; }"] as const;
    const sentence = { ...leftOut("INIT_ALREADY_RAN", "g .init.text"), what: "f is changed, and has run" };
    expect(found(...pair, { leftOut: [sentence] })).toEqual(["unaccounted f"]);
  });

  test("is believed of no piece of which the reason is not true", () => {
    const text = (value: number) =>
      `static const int t[4] = { 1, 2, ${value}, 4 }; int f(int a) { return t[a]; }
       ${INIT}int start(int a) { return a + ${value}; }`;
    const pieces = ["t .rodata.t", "start .init.text", "f .text.f"];
    const codes = [
      "INIT_ALREADY_RAN",
      "READ_AT_LOAD_TIME",
      "PARAMETER_STAYS",
      "EXIT_NEVER_RUNS",
      "REGISTERED_AT_LOAD",
    ] as const;
    const left = codes.map((code) => found(text(3), text(5), { leftOut: [leftOut(code, ...pieces)] }));
    expect(left).toEqual([["unaccounted t"], ...codes.slice(1).map(() => ["unaccounted start", "unaccounted t"])]);
  });

  test("as a constant that only init code reads is so by who uses it", () => {
    const text = (value: number, more: string) =>
      `static const int t[4] = { 1, 2, ${value}, 4 }; ${INIT}int start(int a) { return t[a]; } ${more}`;
    const said = { leftOut: [leftOut("INIT_ALREADY_RAN", "t .rodata.t")] };
    expect(found(text(3, ""), text(5, ""), said)).toEqual([]);
    const handing = (value: number) => text(value, "").replace("return t[a];", "return give(t);");
    const give = "int give(const int *); ";
    expect(found(give + handing(3), give + handing(5), said)).toEqual(["unaccounted t"]);
    const user = "int f(int a) { return t[a]; }";
    expect(found(text(3, user), text(5, user), said)).toEqual(["unaccounted t"]);
  });

  test("as exit code is so where it never runs, or takes back what init code has registered", () => {
    const exit = '__attribute__((section(".exit.text"))) ';
    const text = (value: number, taken: string) => `
      void take(int *); static int table[2] = { 1, ${value} }; static int other[2] = { 1, 2 };
      ${INIT}void start(void) { take(table); take(other); }
      ${exit}void stop(void) { take(${taken}); take(table + ${value} - 2); }
    `;
    const differing = [text(2, "other"), text(3, "other")] as const;
    const registered = leftOut("REGISTERED_AT_LOAD", "table .data");
    const never = leftOut("EXIT_NEVER_RUNS", "stop .exit.text");
    const belongs = leftOut("EXIT_BELONGS_TO_INIT", "stop .exit.text");
    expect(found(...differing, { isModule: true, leftOut: [registered, belongs] })).toEqual([]);
    expect(found(...differing, { isModule: true, leftOut: [registered, never] })).toEqual(["unaccounted stop"]);
    expect(found(...differing, { leftOut: [never] })).toEqual(["unaccounted table"]);
    const without = (value: number) => `${exit}int stop(void) { return ${value}; }`;
    expect(found(without(2), without(3), { isModule: true, leftOut: [belongs] })).toEqual(["unaccounted stop"]);
  });
});

test("what is new in a table that is read at load is found unless its entry is a piece of what is left out", () => {
  const text = (more: string) => `struct meta { int number; } first = { 1 }; ${more}`;
  const entry = (section: string) =>
    `static struct meta second = { 2 }; __attribute__((used, section("${section}"))) static struct meta *entry = &second;`;
  const patched = text(entry("_ftrace_events"));
  expect(found(text(""), patched)).toEqual(["unaccounted entry", "unaccounted second"]);
  expect(found(text(""), patched, { leftOut: [leftOut("READ_AT_LOAD_TIME", "entry _ftrace_events")] })).toEqual([]);
  const unknown = { leftOut: [leftOut("READ_AT_LOAD_TIME", "entry __new_kind")] };
  expect(found(text(""), text(entry("__new_kind")), unknown)).toEqual(["unaccounted entry", "unaccounted second"]);
});

test("a function that is said to be replaced, and that nothing of the file redirects, is found", () => {
  const pair = ["int f(int a) { return a; }", "int f(int a) { return a + 1; }"] as const;
  expect(found(...pair, { replaced: ["f"], redirects: [] })).toEqual(["not-in-effect f", "unaccounted f"]);
});

test("names of functions, which the compiler counts, are told by those that print them", () => {
  const text = (names: readonly string[], more: string) => {
    const functions = names.map(
      (name, i) => `
        void ${name}(int n) {
          static struct kept kept __attribute__((section("__kept"))) = { __func__, ${i} };
          kept.n += n; print(kept.of); ${i === 0 ? more : ""}
        }`,
    );
    return `void print(const char *); struct kept { const char *of; int n; }; ${functions.join("\n")}`;
  };
  const pair = [text(["first", "second"], ""), text(["first", "a_new_one"], 'print("more");')] as const;
  const said = { code: ["a_new_one"], sections: ["__kept"] };
  expect(found(...pair, { ...said, replaced: ["first", "second"] })).toEqual([]);
  expect(found(...pair, { ...said, replaced: ["second"] })).toEqual(["unaccounted first"]);
});

describe("a function in whose place another one comes", () => {
  const source = (name: string, more: number, held = name): string =>
    `int outside(int a);
     int other(int a) { return outside(a) - 1; }
     static __attribute__((used)) int ${name}(int a) { return outside(a) + ${more}; }
     struct operations { int (*get)(int); } table = { ${held} };`;
  const said = { replaced: ["old"], newName: { old: "fresh" }, code: ["fresh"] };

  test("is accounted for with what holds its address, where the file leads it there", () => {
    expect(found(source("old", 1), source("fresh", 2), said)).toEqual([]);
  });

  test("is not where the file leads it nowhere", () => {
    expect(found(source("old", 1), source("fresh", 2), { ...said, redirects: [] })).toEqual(
      expect.arrayContaining(["not-in-effect old", "unaccounted table"]),
    );
  });

  test("accounts for no other change of what holds its address", () => {
    expect(found(source("old", 1), source("fresh", 2, "other"), said)).toEqual(["unaccounted table"]);
  });
});

test("a function that moves to another file is accounted for by its new version there, if other files see it", () => {
  const use = "int f(int a); int g(int a) { return f(a) + 1; }";
  const defined = (linkage: string) => `${linkage} __attribute__((noinline)) int f(int a) { return outside(a) + 1; }`;
  const before = `int outside(int a); ${use} ${defined("")}`;
  const after = `int outside(int a); ${use}`;
  expect(found(before, after, { elsewhere: ["f"] })).toEqual([]);
  expect(found(before, after)).toEqual(["unaccounted f"]);
  expect(found(before, after, { elsewhere: ["f"], redirects: [] })).toEqual(["unaccounted f"]);
});

describe("code that stands in for some of a function's", () => {
  const aux = (code: string) =>
    `asm goto("jmp 6f\\n6:\\n.pushsection .altinstr_aux,\\"ax\\"\\n${code}\\n.popsection" ::::back); back:`;
  const gone = (code: string) =>
    `extern int g; static __attribute__((noinline)) void gone(int x) { g = x; ${aux(code)} g++; }`;
  const other = 'static __attribute__((noinline,used)) void other(void) { asm volatile("nop"); }';
  const both = (code: string) =>
    found(`${other} ${gone(code)} void f(int x) { gone(x); }`, `${other} void f(int x) { }`, { replaced: ["f"] });

  test("is no use of the function that it goes back into", () => {
    expect(both("jmp %l[back]")).toEqual([]);
  });

  test("is one of the function that it calls", () => {
    expect(both("jmp %l[back]\\ncall gone")).toEqual(["unaccounted gone"]);
  });
});
