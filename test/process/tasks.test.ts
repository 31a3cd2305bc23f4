/** Which tasks there are in a process's memory, and which of them count. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { CaseProgram } from "./case-program.ts";

const ANSWER = (more: number) =>
  `long answer(long n) { __asm__ volatile("nop;nop;nop;nop"); return n * 3 + ${more}; }\n`;

/** `answer` is asked for by a line; the rest of the program is a test's. */
function asked(globals: string, start: string): CaseProgram {
  const main = `#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
long answer(long n);
static volatile long last, lines;
static void *serve(void *arg) {
  char line[64];
  (void)arg;
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) { printf("%ld %ld\\n", answer(7), last); lines++; }
  exit(0);
}
${globals}
int main(void) { ${start} serve(NULL); }
`;
  const program = new CaseProgram({ "main.c": main, "answer.c": [ANSWER(1), ANSWER(1000)] });
  program.compile("gcc -O2 -g", "main.c", "answer.c").shell("gcc -pthread -o prog main.o answer.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  return program;
}

async function goesInAndOut(program: CaseProgram, pid: number, ask: () => Promise<string>): Promise<void> {
  for (const consistency of ["stop", "hybrid", "lazy"] as const) {
    const target = new ProcessTarget(pid, { consistency });
    expect(await target.preflight(program.livepatch())).toMatchObject({ outcome: "done", holders: [] });
    expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done", problems: [] });
    expect(await ask()).toMatch(/^1021 /);
    expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await ask()).toMatch(/^22 /);
    expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done", notes: [] });
  }
}

test("a thread of io_uring runs no code of the program, and holds nothing up", async () => {
  using program = asked(
    "",
    `struct io_uring_params p; memset(&p, 0, sizeof p); p.flags = IORING_SETUP_SQPOLL; p.sq_thread_idle = 1000;
     if (syscall(SYS_io_uring_setup, 8, &p) < 0) { puts("none"); exit(3); }`,
  );
  await using running = await program.run("./prog");
  await running.ask();
  expect(readdirSync(`/proc/${running.pid}/task`)).toHaveLength(2);
  await goesInAndOut(program, running.pid, () => running.ask());
});

test("a process whose first thread has ended is found, looked into and patched", async () => {
  using program = asked(
    "",
    "pthread_t thread; pthread_create(&thread, NULL, serve, NULL); while (!lines) usleep(100); pthread_exit(NULL);",
  );
  await using running = await program.run("./prog");
  await running.ask();
  while (!/^State:\tZ/m.test(readFileSync(`/proc/${running.pid}/status`, "utf8"))) await setTimeout(1);
  await goesInAndOut(program, running.pid, () => running.ask());
});

const SHARER = `static char stack[65536] __attribute__((aligned(16)));
static int run(void *arg) { for (int i = 0; i < 100000; i++) { last = answer((long)arg); usleep(500); } return 0; }`;

test("a task that shares the memory and is no thread of the process stands still with it", async () => {
  using program = asked(SHARER, `clone(run, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)9);`);
  await using running = await program.run("./prog");
  while (Number((await running.ask()).split(" ")[1]) === 0) await setTimeout(1);
  const target = new ProcessTarget(running.pid, { consistency: "stop" });
  const loaded = await target.load(program.livepatch());
  expect(loaded).toMatchObject({ outcome: "done", problems: [], cost: { threads: 2 } });
  await setTimeout(5);
  while ((await running.ask()) !== "1021 1027") await setTimeout(1);
  expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
  while ((await running.ask()) !== "22 28") await setTimeout(1);
  expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done", notes: [] });
  expect(await running.ask()).toBe("22 28");
  process.kill(childOf(running.pid), "SIGKILL");
});

/** It lives on when its parent is no more. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim());
}

test("a task of the same memory that is inside the function holds the livepatch up, and is named", async () => {
  using program = asked(
    `static char stack[65536] __attribute__((aligned(16)));
     static int run(void *arg) { return (int)answer((long)arg); }`,
    `clone(run, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)-1);`,
  );
  const inside = (more: number) =>
    `#include <unistd.h>\nlong answer(long n) { if (n < 0) for (int i = 0; i < 100; i++) sleep(1); return n * 3 + ${more}; }\n`;
  using held = new CaseProgram({
    "main.c": readFileSync(program.path("main.c"), "utf8"),
    "answer.c": [inside(1), inside(1000)],
  });
  held.compile("gcc -O2 -g", "main.c", "answer.c").shell("gcc -pthread -o prog main.o answer.o");
  expect(held.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await held.run("./prog");
  expect(await running.ask()).toBe("22 0");
  const child = childOf(running.pid);
  const target = new ProcessTarget(running.pid, { consistency: "stop", timeoutMs: 100 });
  const loaded = await target.load(held.livepatch());
  expect(loaded).toMatchObject({ outcome: "reversed", holders: [{ tid: child }] });
  expect(await running.ask()).toBe("22 0");
  process.kill(child, "SIGKILL");
});

test("a thread that waits for its child of vfork is waited for, and the child is named", async () => {
  using program = asked(
    `static void *hold(void *arg) { if (vfork() == 0) for (;;) syscall(SYS_pause); return arg; }`,
    "pthread_t thread; pthread_create(&thread, NULL, hold, NULL);",
  );
  await using running = await program.run("./prog");
  let child = 0;
  while (child === 0) {
    for (const tid of readdirSync(`/proc/${running.pid}/task`))
      child ||= Number(readFileSync(`/proc/${running.pid}/task/${tid}/children`, "latin1").trim());
  }
  const target = new ProcessTarget(running.pid, { consistency: "stop", timeoutMs: 200 });
  const loaded = await target.load(program.livepatch());
  expect(loaded.outcome).toBe("reversed");
  expect(JSON.stringify(loaded.holders)).toContain(`its child of vfork, prog (${child})`);
  process.kill(child, "SIGKILL");
  expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done" });
  expect(await running.ask()).toBe("1021 0");
});

/** Compilers and what they are linked with, where a blocked thread's frames are described nowhere. */
const WITHOUT_FRAMES = [
  ["gcc -O2 -fno-asynchronous-unwind-tables -fno-unwind-tables -g", "gcc -pthread"],
  ["musl-gcc -O2 -g", "musl-gcc -static -Wl,--build-id"],
  ["musl-gcc -O2 -g", "musl-gcc -Wl,--build-id"],
] as const;

test.for(WITHOUT_FRAMES)(
  "threads without frame information are patched: %s, %s",
  async ([compiler, linker], context) => {
    const [name = ""] = compiler.split(" ");
    if (!existsSync(`/usr/bin/${name}`)) context.skip(`${name} is not installed`);
    using program = new CaseProgram("runtimes");
    program.compile(compiler, "main.c", "answer.c").shell(`${linker} -o prog main.o answer.o && strip prog`);
    const built = program.build("prog");
    expect(built, JSON.stringify(built.result)).toMatchObject({ status: 0, codes: [] });
    await using running = await program.run("./prog");
    const state = async (wanted: string): Promise<void> => {
      const read = () => (existsSync(program.path("state")) ? readFileSync(program.path("state"), "latin1") : "");
      while (!read().startsWith(wanted)) await setTimeout(1);
    };
    await state("answer 22");
    for (const consistency of ["stop", "hybrid", "lazy"] as const) {
      const target = new ProcessTarget(running.pid, { consistency });
      expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done", problems: [] });
      await state("answer 1027");
      expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
      await state("answer 22");
      expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done", notes: [] });
    }
  },
);
