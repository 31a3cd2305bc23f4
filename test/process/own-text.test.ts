/** Programs that put other memory in the place of their own code, or have it changed by something else. */
import { expect, test } from "vitest";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { CaseProgram } from "./case-program.ts";

const MAIN = `#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
long answer(long n);
long other(long n) { return n + 77; }
static int child(void *arg) { prctl(PR_SET_PDEATHSIG, SIGKILL); for (;;) pause(); return arg != NULL; }
int main(int argc, char **argv) {
  char line[64], *page = (char *)((unsigned long)&answer & ~4095UL), *from = (char *)answer;
  const char *mode = argc > 1 ? argv[1] : "";
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (!strcmp(mode, "anonymous")) {
    char *copy = mmap(NULL, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(copy, page, 4096);
    mprotect(copy, 4096, 5);
    mremap(copy, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, page);
  }
  if (!strcmp(mode, "shared")) {
    int fd = memfd_create("code", 0);
    if (write(fd, page, 4096) == 4096) mmap(page, 4096, 5, MAP_FIXED | MAP_SHARED, fd, 0);
  }
  if (!strcmp(mode, "jump")) {
    int to = (char *)other - from - 5;
    mprotect(page, 8192, 7);
    from[0] = (char)0xe9;
    memcpy(from + 1, &to, 4);
  }
  if (!strcmp(mode, "locked")) {
    struct rlimit limit = { 3 << 20, 3 << 20 };
    mlockall(MCL_CURRENT | MCL_FUTURE);
    setrlimit(RLIMIT_MEMLOCK, &limit);
    if (setresuid(65534, 65534, 65534)) return 1;
  }
  if (!strcmp(mode, "sharer")) {
    char *stack = mmap(NULL, 1 << 16, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    clone(child, stack + (1 << 16), CLONE_VM | SIGCHLD, NULL);
  }
  while (fgets(line, sizeof line, stdin)) printf("%ld\\n", answer(7));
  return 0;
}
`;
const ANSWER = (more: number) =>
  `long answer(long n) { __asm__ volatile("nop;nop;nop;nop"); return n * 3 + ${more}; }\n`;

function own(): CaseProgram {
  const program = new CaseProgram({ "main.c": MAIN, "answer.c": [ANSWER(1), ANSWER(1000)] });
  program.compile("gcc -O2 -g", "main.c", "answer.c").shell("gcc -o prog main.o answer.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  return program;
}

test("code that a program has put into memory of no file is patched", async () => {
  using program = own();
  await using running = await program.run("./prog", "anonymous");
  expect(await running.ask()).toBe("22");
  const target = new ProcessTarget(running.pid);
  expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done", problems: [] });
  expect(await running.ask()).toBe("1021");
  expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done" });
  expect(await running.ask()).toBe("22");
  expect(await running.ended()).toBe(0);
});

test.each([
  ["shared", "22", "CODE_SHARED"],
  ["jump", "84", "ENTRY_CHANGED"],
])("code that is %s is refused by what it is", async (mode, answer, code) => {
  using program = own();
  await using running = await program.run("./prog", mode);
  expect(await running.ask()).toBe(answer);
  const target = new ProcessTarget(running.pid);
  expect(await target.preflight(program.livepatch())).toMatchObject({ problems: [{ code }] });
  expect(await target.load(program.livepatch())).toMatchObject({ outcome: "refused", problems: [{ code }] });
  expect(await running.ask()).toBe(answer);
  expect(await running.ended()).toBe(0);
});

test("a program that may lock no more memory is out of memory", async () => {
  using program = own();
  await using running = await program.run("./prog", "locked");
  expect(await running.ask()).toBe("22");
  const loading = new ProcessTarget(running.pid).load(program.livepatch());
  await expect(loading).rejects.toMatchObject({ code: "TARGET_OUT_OF_MEMORY" });
  expect(await running.ask()).toBe("22");
  expect(await running.ended()).toBe(0);
});

test("a process that shares the memory is not said to be left out", async () => {
  using program = own();
  await using running = await program.run("./prog", "sharer");
  expect(await running.ask()).toBe("22");
  const found = await new ProcessTarget(running.pid).preflight(program.livepatch());
  expect(found).toMatchObject({ problems: [] });
  expect(JSON.stringify(found)).not.toMatch(/started already/);
});
