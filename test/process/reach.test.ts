/** What a look and a load say of what they do not do. */
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { readMappings } from "../../src/process/os/mappings.ts";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { CaseProgram } from "./case-program.ts";

const ANSWER = (more: number) =>
  `long answer(long n) { __asm__ volatile("nop;nop;nop;nop"); return n * 3 + ${more}; }\n`;

function asked(start: string): CaseProgram {
  const main = `#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
long answer(long n);
int main(int argc, char **argv) {
  char line[64];
  setvbuf(stdout, NULL, _IOLBF, 0);
  ${start}
  while (fgets(line, sizeof line, stdin)) printf("%ld\\n", answer(7));
  return argc < 0 || argv == NULL;
}
`;
  const program = new CaseProgram({ "main.c": main, "answer.c": [ANSWER(1), ANSWER(1000)] });
  program.compile("gcc -O2 -g", "main.c", "answer.c").shell("gcc -o prog main.o answer.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  return program;
}

/** So that the kernel writes nothing into a program (the number of its processor, to the area of restartable sequences). */
const UNWRITTEN = ["env", "GLIBC_TUNABLES=glibc.pthread.rseq=0", "./prog"] as const;

/** Of all that nobody else writes to while a program that is UNWRITTEN waits: mappings, and what is in them. */
async function memoryOf(pid: number): Promise<string> {
  // An answer is here before the program is back in its read, and its way there writes to its stack.
  while (!readFileSync(`/proc/${pid}/syscall`, "latin1").startsWith("0 ")) await setTimeout(1);
  const hash = createHash("sha256");
  const fd = openSync(`/proc/${pid}/mem`, "r");
  for (const { start, end, name, readable, writable, executable } of readMappings(pid)) {
    hash.update(`${start} ${end} ${name} ${readable} ${writable} ${executable}\n`);
    if (!readable || name === "[vvar]" || name.startsWith("[vvar") || name === "[vsyscall]") continue;
    const bytes = Buffer.alloc(end - start);
    readSync(fd, bytes, 0, bytes.length, start);
    hash.update(bytes);
  }
  closeSync(fd);
  return hash.digest("hex");
}

test("preflight changes nothing in a process, one that is patched and one that is not", async () => {
  using program = asked("");
  await using running = await program.run(...UNWRITTEN);
  expect(await running.ask()).toBe("22");
  const target = new ProcessTarget(running.pid);
  const livepatch = program.livepatch();
  const before = await memoryOf(running.pid);
  expect(await target.preflight(livepatch)).toMatchObject({ outcome: "done", notes: [] });
  expect(await memoryOf(running.pid)).toBe(before);
  expect(await target.load(livepatch)).toMatchObject({ outcome: "done", notes: [] });
  expect(await running.ask()).toBe("1021");
  const patched = await memoryOf(running.pid);
  expect(await target.preflight(livepatch)).toMatchObject({ outcome: "unchanged" });
  expect(await target.preflight({ ...livepatch, name: "another" })).toMatchObject({ outcome: "done" });
  expect(await memoryOf(running.pid)).toBe(patched);
});

test("a program that executes programs, and what it has started of its own, are told of", async () => {
  using program = asked(
    `if (argc == 1 && fork() == 0) { execl("/proc/self/exe", "prog", "child", (char *)0); _exit(1); }
     if (argc > 1) for (;;) pause();`,
  );
  await using running = await program.run("./prog");
  await running.ask();
  let child = 0;
  while (child === 0 || !readFileSync(`/proc/${child}/cmdline`, "latin1").includes("child")) {
    child = Number(readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, "latin1").trim());
    await setTimeout(1);
  }
  const target = new ProcessTarget(running.pid);
  const notes = [expect.stringContaining(`not reached by this: ${child}`), expect.stringMatching(/executes \(execl\)/)];
  expect(await target.preflight(program.livepatch())).toMatchObject({ outcome: "done", notes });
  expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done", notes });
  expect(await running.ask()).toBe("1021");
  process.kill(child, "SIGKILL");
});

test("a uprobe at the entry of a function is refused by what it is, and taken away it is in no one's way", async (context) => {
  if (!existsSync("/sys/bus/event_source/devices/uprobe/type")) context.skip("the kernel has no uprobes");
  using program = asked("");
  const probe = readFileSync(new URL("../cases/process/uprobe/src/probe.c", import.meta.url), "utf8");
  using probes = new CaseProgram({ "probe.c": probe });
  probes.shell("gcc -O2 -o probe probe.c");
  await using running = await program.run("./prog");
  expect(await running.ask()).toBe("22");
  const nm = program.output("nm prog | grep ' answer$'");
  const address = Number.parseInt(nm, 16);
  {
    await using probing = await probes.run(
      "./probe",
      program.path("prog"),
      address.toString(16),
      String(running.pid),
      "1000",
    );
    const { start } = readMappings(running.pid)[0] as { start: number };
    const entry = () => {
      const byte = Buffer.alloc(1);
      const fd = openSync(`/proc/${running.pid}/mem`, "r");
      readSync(fd, byte, 0, 1, start + address);
      closeSync(fd);
      return byte[0];
    };
    while (entry() !== 0xcc) await setTimeout(1);
    const target = new ProcessTarget(running.pid);
    const problems = [{ code: "BREAKPOINT_AT_ENTRY" }];
    expect(await target.preflight(program.livepatch())).toMatchObject({ outcome: "refused", problems });
    expect(await target.load(program.livepatch())).toMatchObject({ outcome: "refused", problems });
    expect(await running.ask()).toBe("22");
    process.kill(probing.pid, "SIGKILL");
    while (entry() === 0xcc) await setTimeout(1);
  }
  const target = new ProcessTarget(running.pid);
  expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done" });
  expect(await running.ask()).toBe("1021");
  expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
  expect(await running.ask()).toBe("22");
});

test("a program that has its system calls sent to itself is refused, and no handler of it is run", async () => {
  using program = asked(
    `static char allow; if (prctl(59, 1, 0, 0, &allow) != 0) return 9;
     signal(SIGSYS, SIG_IGN);`,
  );
  await using running = await program.run(...UNWRITTEN);
  expect(await running.ask()).toBe("22");
  const before = await memoryOf(running.pid);
  const target = new ProcessTarget(running.pid);
  const problems = [{ code: "SYSCALL_DISPATCH" }];
  expect(await target.preflight(program.livepatch())).toMatchObject({ outcome: "refused", problems });
  expect(await target.load(program.livepatch())).toMatchObject({ outcome: "refused", problems });
  expect(await memoryOf(running.pid)).toBe(before);
  expect(await running.ask()).toBe("22");
});

const LEAVES = `#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
jmp_buf top; volatile long seen; void session(int);
static void *w(void *x) { if (setjmp(top)) ; for (;;) session(1); return x; }
int main(void) {
  char line[64]; pthread_t t;
  setvbuf(stdout, NULL, _IOLBF, 0);
  pthread_create(&t, NULL, w, NULL);
  while (fgets(line, sizeof line, stdin)) printf("%ld\\n", seen);
}
`;
const SESSION = (more: number) => `#include <setjmp.h>
#include <unistd.h>
extern jmp_buf top; extern volatile long seen;
__attribute__((noinline)) int amount(int n) { __asm__ volatile("nop;nop;nop"); return n * 3 + ${more}; }
void session(int n) {
  int a = amount(n);
  for (int i = 0; i < 20; i++) usleep(1000);
  seen = a == amount(n) ? a : -1;
  longjmp(top, 1);
}
`;

test("a thread that leaves a function by longjmp alone, and is always inside, is switched", async () => {
  using program = new CaseProgram({ "main.c": LEAVES, "session.c": [SESSION(1), SESSION(1000)] });
  program.compile("gcc -O2 -g", "main.c", "session.c").shell("gcc -pthread -o prog main.o session.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  await using running = await program.run("./prog");
  while ((await running.ask()) !== "4") await setTimeout(1);
  for (const consistency of ["lazy", "hybrid"] as const) {
    const target = new ProcessTarget(running.pid, { consistency, timeoutMs: 60_000 });
    expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done" });
    while ((await running.ask()) !== "1003") await setTimeout(1);
    expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
    while ((await running.ask()) !== "4") await setTimeout(1);
    expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done" });
  }
});

test("a thread that gets signals without end is switched by each model", async () => {
  using program = new CaseProgram("signals-rt");
  program.compile("gcc -O2 -g", "main.c", "session.c").shell("gcc -pthread -o prog main.o session.o");
  expect(program.build("prog")).toMatchObject({ status: 0, codes: [] });
  process.env["NOTIMER"] = "1";
  await using running = await program.run("./prog", "storm");
  for (const consistency of ["lazy", "hybrid"] as const) {
    const target = new ProcessTarget(running.pid, { consistency, timeoutMs: 60_000 });
    expect(await target.load(program.livepatch())).toMatchObject({ outcome: "done" });
    expect(await target.disable("livepatch_fix")).toMatchObject({ outcome: "done" });
    expect(await target.unload("livepatch_fix")).toMatchObject({ outcome: "done" });
  }
  expect(await running.ask("x")).toMatch(/ mixture 0; .* out of order 0;/);
});
