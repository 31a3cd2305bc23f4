/** What C++ compilers number or lay out by themselves is told by what it is, or refused. */
import { describe, expect, test } from "vitest";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { CaseProgram } from "./case-program.ts";

test("a lambda that comes before one that is stored is refused: the stored one would run its body", () => {
  using program = new CaseProgram("cpp-lambda");
  program.compile("g++ -O2 -g", "main.cc", "reg.cc").shell("g++ -o prog main.o reg.o");
  expect(program.build("prog")).toMatchObject({ status: 2, codes: ["NUMBERED_AMBIGUOUS"] });
});

const REG = (body: string, before = "") => `#include <functional>
typedef int (*cb)(int);
extern cb table[8]; extern int ntable; extern std::function<int(int)> kept;
${before}
__attribute__((noinline)) int plain(int n) noexcept { __asm__ volatile("nop;nop;nop"); return n * 7; }
void reg(int by) noexcept;
void reg(int by) noexcept {
  ntable = 0;
  ${body}
  __asm__ volatile("" ::: "memory");
}
`;
const MAIN = `#include <cstdio>
#include <functional>
typedef int (*cb)(int);
cb table[8]; int ntable; std::function<int(int)> kept = [](int n) { return n; };
void reg(int by) noexcept;
int plain(int n) noexcept;
int main() {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  reg(5);
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    if (line[0] == 'r') reg(6);
    for (int i = 0; i < ntable; i++) printf("%d ", table[i](1));
    printf("%d %d\\n", kept(1), plain(1));
  }
}
`;
const ADD = (value: string) =>
  `table[ntable++] = [](int n) noexcept { __asm__ volatile("nop;nop;nop"); return n * ${value}; };`;
const CAPTURE = (captures: string, value: string) =>
  `kept = [${captures}](int n) noexcept { __asm__ volatile("nop;nop;nop"); return n + ${value}; };`;
const STATICS = (first: string) => `int counted(int n) noexcept; int counted(int n) noexcept {
  ${first}
  if (n > 3) { static int times = 100; times += n; return times; } else { static int times = 200; times += n; return times; } }`;

function built(before: string, after: string) {
  const program = new CaseProgram({ "main.cc": MAIN, "reg.cc": [before, after] });
  program.compile("g++ -std=c++20 -O2", "main.cc", "reg.cc").shell("g++ -o prog main.o reg.o");
  return { program, ...program.build("prog") };
}

describe("lambdas", () => {
  test.each<[string, string, string, readonly string[]]>([
    ["one more behind the others", ADD("3"), ADD("3") + ADD("5"), []],
    ["one that is edited", ADD("3"), ADD("4"), []],
    ["one that is edited, between others", ADD("3") + ADD("5") + ADD("7"), ADD("3") + ADD("6") + ADD("7"), []],
    ["one more between others", ADD("3") + ADD("5"), ADD("3") + ADD("4") + ADD("5"), ["NUMBERED_AMBIGUOUS"]],
    ["one fewer before another", ADD("3") + ADD("5"), ADD("5"), ["NUMBERED_AMBIGUOUS"]],
    ["two that change places", ADD("3") + ADD("5"), ADD("5") + ADD("3"), ["NUMBERED_AMBIGUOUS"]],
    ["one more capture", CAPTURE("by", "by"), CAPTURE("by, more = by * 2", "by + more"), ["CLOSURE_CHANGED"]],
    [
      "static locals of one name, one more before",
      STATICS(""),
      STATICS("{ static int times = 1; times++; }"),
      ["NUMBERED_AMBIGUOUS"],
    ],
  ])("%s", (_what, before, after, codes) => {
    const isFunction = before.startsWith("int counted");
    const text = (body: string) => (isFunction ? REG("(void)by;", body) : REG(body));
    const { program, ...found } = built(text(before), text(after));
    program[Symbol.dispose]();
    expect([...new Set(found.codes)].filter((code) => code !== "DATA_CHANGED")).toEqual(codes);
  });

  test("that are stored run their own new bodies, and new ones theirs", async () => {
    const { program: edited } = built(REG(ADD("3") + ADD("5")), REG(ADD("3") + ADD("50")));
    using _ = edited;
    await using running = await edited.run("./prog");
    expect(await running.ask()).toBe("3 5 1 7");
    expect(await new ProcessTarget(running.pid).load(edited.livepatch())).toMatchObject({ outcome: "done" });
    expect(await running.ask()).toBe("3 50 1 7");
    expect(await running.ask("r")).toBe("3 50 1 7");
    expect(await new ProcessTarget(running.pid).unload("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await running.ask()).toBe("3 5 1 7");
  });
});

const LIMITS = (initial: string, more = "") => `#include <string>
  struct limits { limits(int a, const char *b) noexcept : least(a), word(b) { __asm__ volatile("nop;nop;nop"); } int least; std::string word; };
  static int fresh() noexcept { __asm__ volatile("nop;nop;nop"); return 4; }
  int limited(int n) noexcept; int limited(int n) noexcept {
    ${more} static limits own${initial}; return n > own.least ? n : own.least; }`;

test.each<[string, string, string, boolean]>([
  ["another number", LIMITS('(1, "one")'), LIMITS('(2, "one")'), true],
  ["another string", LIMITS('(1, "one")'), LIMITS('(1, "two")'), true],
  ["by another call", LIMITS('(n, "one")'), LIMITS('(n + fresh(), "one")'), true],
  [
    "by a function that changes",
    LIMITS('(fresh(), "one")'),
    LIMITS('(fresh(), "one")').replace("return 4", "return 5"),
    true,
  ],
  ["by what it was, in code that changes", LIMITS('(1, "one")'), LIMITS('(1, "one")', "n *= 3;"), false],
])("a local static that is set up once, %s: what it was made keeps", (_what, before, after, isTold) => {
  const { program, codes, result } = built(REG("(void)by;", before), REG("(void)by;", after));
  program[Symbol.dispose]();
  expect(codes).toEqual([]);
  const said = JSON.stringify(result);
  expect(said.includes("_ZZ7limitediE3own is set up by the first call")).toBe(isTold);
});

test("a coroutine that changes is refused: suspended ones have the old layout", () => {
  const coroutine = (value: string) => `#include <coroutine>
struct task { struct promise_type {
  task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
  std::suspend_always initial_suspend() noexcept { return {}; }
  std::suspend_always final_suspend() noexcept { return {}; }
  void return_void() {} void unhandled_exception() {} };
  std::coroutine_handle<promise_type> handle; };
volatile int seen;
task steps(int n); task steps(int n) { int a = n * ${value}; co_await std::suspend_always{}; seen = a; }
`;
  const { program, codes } = built(REG("(void)by;", coroutine("3")), REG("(void)by;", coroutine("4")));
  program[Symbol.dispose]();
  expect(codes).toContain("COROUTINE_CHANGED");
});

test("an exception passes through a new function of C++ that handles none", async () => {
  const each = (more: string) => `int each(int (*callback)(int), int n);
    int body(const char *s) { int n = 3; while (*s) n = n * 31 + (*s++ ^ 0x55); return n + 12345; }
    int each(int (*callback)(int), int n) { int sum = ${more}; for (int i = 0; i < n; i++) sum += callback(i); return sum; }\n`;
  using program = new CaseProgram({
    "main.cc": `#include <cstdio>
#include <stdexcept>
int each(int (*callback)(int), int n);
static int callback(int n) { if (n == 3) throw std::runtime_error("three"); return n; }
static int tried(int n) { try { return each(callback, n); } catch (const std::exception &) { return -1; } }
int main() { char line[64]; setvbuf(stdout, nullptr, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) printf("%d %d\\n", tried(3), tried(5)); }\n`,
    "each.cc": [each("0"), each("1000")],
  });
  program.compile("g++ -O2", "main.cc", "each.cc").shell("g++ -o prog main.o each.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("3 -1");
  expect(await new ProcessTarget(running.pid).load(program.livepatch())).toMatchObject({ outcome: "done" });
  expect(await running.ask()).toBe("1003 -1");
});
