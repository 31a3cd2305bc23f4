/** System calls of a program that is looked at and patched: none fails because of that. */
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { CaseProgram, type RunningCase } from "./case-program.ts";

const KINDS = 18;

/** How often each call has failed with EINTR, and came back before its time. */
async function failures(running: RunningCase): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (let at = 0; at < KINDS; at++) {
    const line = at === 0 ? await running.ask() : await running.line();
    const [, name = "", eintr, early] = /^(\S+) +ok \d+ EINTR (\d+) early\/late (\d+)$/.exec(line) ?? [];
    // Each that came late counts a thousand: a time limit that starts anew, or a slow machine.
    if (eintr !== "0" || Number(early) % 1000 !== 0) found[name] = line;
  }
  return found;
}

test("no call that waits fails in a program that is looked at, patched, and patched back", async () => {
  using program = new CaseProgram("eintr");
  program.compile("gcc -O2 -g", "main.c", "work.c").shell("gcc -pthread -o prog main.o work.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  await setTimeout(500);
  const livepatch = program.livepatch();
  for (const consistency of ["stop", "hybrid", "lazy"] as const) {
    const target = new ProcessTarget(running.pid, { consistency });
    for (let times = 0; times < 3; times++)
      expect(await target.preflight(livepatch)).toMatchObject({ outcome: "done" });
    expect(await target.load(livepatch)).toMatchObject({ outcome: "done" });
    expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done" });
  }
  // Those with a time limit are to come to their end.
  await setTimeout(1000);
  expect(await failures(running)).toEqual({});
});

const WAITS = `#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>
int answer(int n);
static volatile long eintr, handled;
static int ep;
static void on_signal(int s) { (void)s; handled++; }
static void *work(void *arg) {
  (void)arg;
  struct epoll_event e;
  sigset_t none;
  sigemptyset(&none);
  for (;;) if (epoll_pwait(ep, &e, 1, -1, &none) < 0 && errno == EINTR) eintr++;
  return NULL;
}
int main(void) {
  char line[64];
  pthread_t thread;
  sigset_t some;
  setvbuf(stdout, NULL, _IOLBF, 0);
  ep = epoll_create1(0);
  signal(SIGUSR1, on_signal);
  sigemptyset(&some);
  sigaddset(&some, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &some, NULL);
  pthread_create(&thread, NULL, work, NULL);
  while (fgets(line, sizeof line, stdin)) {
    if (line[0] == 'c') { if (fork() == 0) _exit(0); wait(NULL); }
    if (line[0] == 's') { long before = eintr; kill(getpid(), SIGUSR1); while (eintr == before) usleep(100); }
    printf("%d: %ld interrupted, %ld handled\\n", answer(5), eintr, handled);
  }
}
`;
const ANSWER = (more: number) =>
  `int answer(int n) { int sum = n; for (int i = 0; i < 9; i++) sum = sum * 5 + (i ^ n); return (sum & 63) + ${more}; }\n`;

test("a call that a signal of the program's own ends fails as ever, and one that it ignores ends none", async () => {
  using program = new CaseProgram({ "main.c": WAITS, "answer.c": [ANSWER(100), ANSWER(200)] });
  program.compile("gcc -O2 -g", "main.c", "answer.c").shell("gcc -pthread -o prog main.o answer.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  const target = new ProcessTarget(running.pid, { consistency: "stop" });
  const livepatch = program.livepatch();
  for (let round = 0; round < 5; round++) {
    expect(await target.load(livepatch)).toMatchObject({ outcome: "done" });
    expect(await running.ask("c")).toMatch(new RegExp(`^2\\d\\d: ${round} interrupted, ${round} handled$`));
    expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await running.ask("s")).toMatch(new RegExp(`^1\\d\\d: ${round + 1} interrupted, ${round + 1} handled$`));
  }
});

const RESTARTS = `#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>
#include <unistd.h>
long answer(long n);
static volatile long aborts;
static struct rseq_cs sequence __attribute__((aligned(32)));
/* Left by the kernel alone, each time that the thread is interrupted. */
static void *serve(void *arg) {
  char line[64];
  (void)arg;
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    long before = aborts;
    while (aborts < before + 3) usleep(100);
    printf("%ld\\n", answer(7));
  }
  exit(0);
}
int main(void) {
  pthread_t thread;
  struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
  pthread_create(&thread, NULL, serve, NULL);
  for (;;) {
    __asm__ volatile goto(
      "lea 1f(%%rip), %%rax; mov %%rax, 8(%1); lea 2f(%%rip), %%rcx; sub %%rax, %%rcx; mov %%rcx, 16(%1);"
      "lea 4f(%%rip), %%rax; mov %%rax, 24(%1); mov %1, 8(%0);"
      "1: pause; jmp 1b; 2: jmp 2b;"
      ".long 0x53053053; 4: jmp %l[aborted]"
      : : "r"(area), "r"(&sequence) : "rax", "rcx", "memory" : aborted);
aborted:
    aborts++;
  }
}
`;

test("a thread that is borrowed in a restartable sequence goes on at its abort handler", async () => {
  const LONG = (more: number) =>
    `long answer(long n) { __asm__ volatile("nop;nop;nop;nop"); return n * 3 + ${more}; }\n`;
  using program = new CaseProgram({ "main.c": RESTARTS, "answer.c": [LONG(1), LONG(1000)] });
  program.compile("gcc -O2 -g", "main.c", "answer.c").shell("gcc -pthread -o prog main.o answer.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("22");
  for (let round = 0; round < 5; round++) {
    const target = new ProcessTarget(running.pid, { consistency: "stop" });
    expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done" });
    expect(await running.ask()).toBe("1021");
    expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await running.ask()).toBe("22");
  }
});
