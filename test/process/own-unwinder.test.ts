/** The program's own unwinder finds its way through new code as through old. */
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { patchedState } from "../../src/targets/process/look.ts";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { CaseProgram } from "./case-program.ts";

test("a thread that is cancelled inside new code runs its cleanups, and what was told is taken back", async () => {
  using program = new CaseProgram("cancel");
  program.compile("gcc -O2 -g -fexceptions", "main.c").compile("gcc -O2 -g", "serve.c");
  program.shell("gcc -pthread -o prog main.o serve.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  const target = new ProcessTarget(running.pid);
  const released = "cancelled, lock released";
  expect(await running.ask()).toBe(released);
  for (let round = 0; round < 3; round++) {
    expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done", problems: [] });
    expect(await running.ask()).toBe(released);
    expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done", notes: [] });
    expect(await running.ask()).toBe(released);
  }
  expect(patchedState(running.pid)).toBeUndefined();
  expect(await running.ended()).toBe(0);
});

const CALLED_BACK = (more: string) => `
int body(const char *s) { int n = 3; while (*s) n = n * 31 + (*s++ ^ 0x55); return n + 12345; }
__attribute__((noinline)) int each(int (*callback)(int), int n)
{
  int sum = ${more};
  for (int i = 0; i < n; i++) sum += callback(i);
  return sum;
}
`;
const THROWING = `#include <cstdio>
#include <stdexcept>
extern "C" int each(int (*callback)(int), int n);
static int callback(int n) { if (n == 3) throw std::runtime_error("three"); return n; }
static int tried(int n) { try { return each(callback, n); } catch (const std::exception &) { return -1; } }
int main() {
  char line[64];
  setvbuf(stdout, nullptr, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) printf("%d %d\\n", tried(3), tried(5));
}
`;

test("an exception of C++ passes through new code of C", async () => {
  using program = new CaseProgram({ "main.cc": THROWING, "each.c": [CALLED_BACK("0"), CALLED_BACK("1000")] });
  program.compile("g++ -O2", "main.cc").compile("gcc -O2", "each.c").shell("g++ -o prog main.o each.o && strip prog");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("3 -1");
  const target = new ProcessTarget(running.pid);
  expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done", problems: [] });
  for (let round = 0; round < 100; round++) expect(await running.ask()).toBe("1003 -1");
  expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done", notes: [] });
  expect(await running.ask()).toBe("3 -1");
  expect(await running.ended()).toBe(0);
});

test("a program whose unwinder is its own, linked in, is refused", async () => {
  using program = new CaseProgram({ "main.cc": THROWING, "each.c": [CALLED_BACK("0"), CALLED_BACK("1000")] });
  program
    .compile("g++ -O2", "main.cc")
    .compile("gcc -O2", "each.c")
    .shell("g++ -static -o prog main.o each.o && strip prog");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("3 -1");
  expect(await new ProcessTarget(running.pid).load(program.livepatch())).toMatchObject({
    outcome: "refused",
    problems: [{ code: "UNWINDER_UNKNOWN" }],
  });
  expect(await running.ask()).toBe("3 -1");
});

/** In a library: what catches all, and asks for no unwinder by name. */
const CATCHING = `extern "C" int guarded(int (*call)(int), int n) { try { return call(n); } catch (...) { return -1; } }
`;
/** What has to run when an exception passes, which then goes on by a call of the unwinder. */
const CLEANING = `extern "C" int cleaned;
struct Guard { ~Guard() { cleaned++; } };
extern "C" int passed(int (*call)(int), int n) { Guard guard; return call(n); }
extern "C" int guarded(int (*call)(int), int n) { try { return passed(call, n); } catch (...) { return -1; } }
`;
const GUARDED = THROWING.replace(
  "#include <cstdio>",
  `#include <cstdio>
extern "C" { int cleaned; int guarded(int (*call)(int), int n); }`,
).replace(
  /static int tried.*\n/,
  `static int inside(int n) { return each(callback, n); }
  static int tried(int n) { return guarded(inside, n); }\n`,
);

test.each([
  ["a library that catches all and asks for no unwinder has none of its own", CATCHING, "", "done", []],
  ["a library whose unwinder is linked in is refused", CLEANING, "-static-libgcc", "refused", ["UNWINDER_UNKNOWN"]],
])("%s", async (_, library, option, outcome, codes) => {
  const files = {
    "main.cc": GUARDED,
    "library.cc": library,
    "each.c": [CALLED_BACK("0"), CALLED_BACK("1000")] as const,
  };
  using program = new CaseProgram(files);
  program.compile("g++ -O2", "main.cc").compile("gcc -O2", "each.c");
  program.shell(`g++ -O2 -shared -fPIC ${option} -o library.so library.cc && ! nm -D library.so | grep _Unwind_`);
  program.shell("g++ -rdynamic -o prog main.o each.o ./library.so");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("3 -1");
  const loaded = await new ProcessTarget(running.pid).load(program.livepatch());
  expect(loaded).toMatchObject({ outcome, problems: codes.map((code) => ({ code })) });
  const sum = outcome === "done" ? 1003 : 3;
  for (let round = 0; round < 100; round++) expect(await running.ask()).toBe(`${sum} -1`);
});

test("threads that throw again and again are in nobody's way, and nothing they throw is lost", async () => {
  const main = THROWING.replace(
    "int main() {",
    `#include <pthread.h>
    #include <unistd.h>
    static volatile long wrong;
    static void *work(void *) { for (;;) { if (tried(5) != -1) wrong++; usleep(20); } return nullptr; }
    int main() { for (int i = 0; i < 3; i++) { pthread_t t; pthread_create(&t, nullptr, work, nullptr); }`,
  ).replace('printf("%d %d\\n", tried(3), tried(5))', 'printf("%d %ld\\n", tried(3), wrong)');
  using program = new CaseProgram({ "main.cc": main, "each.c": [CALLED_BACK("0"), CALLED_BACK("1000")] });
  program.compile("g++ -O2", "main.cc").compile("gcc -O2", "each.c").shell("g++ -o prog main.o each.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  const target = new ProcessTarget(running.pid, { timeoutMs: 60_000 });
  expect(await running.ask()).toBe("3 0");
  for (let round = 0; round < 5; round++) {
    expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done", problems: [] });
    expect(await running.ask()).toBe("1003 0");
    await setTimeout(20);
    expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await running.ask()).toBe("3 0");
  }
  expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "refused" });
});
