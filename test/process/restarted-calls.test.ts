import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readMappings } from "../../src/process/os/mappings.ts";
import { findGadgets } from "../../src/process/tracer/gadgets.ts";
import { TracedProcess } from "../../src/process/tracer/traced-process.ts";
import { Program, TracedPrograms } from "./traced-programs.ts";

const RESTART_SYSCALL = 219;
const EPOLL_WAIT = 232;
const SYS_GETPID = 39;
/** How the program waits, and the number of the call that it does that by. */
const WAYS = {
  nanosleep: 35,
  "nanosleep-rest": 35,
  clock: 230,
  "clock-real": 230,
  cpu: 230,
  poll: 7,
  "poll-ever": 7,
  "poll-none": 7,
  futex: 202,
  "futex-end": 202,
} as const;
const ALL = Object.keys(WAYS);

const programs = new TracedPrograms();
const waits = programs.compiled("waits.c");

afterAll(() => programs[Symbol.dispose]());

/** The calls that the threads sleep in, by their numbers, once all sleep in one. */
async function callsOf({ pid }: Program, threads: number): Promise<number[]> {
  for (;;) {
    const tasks = readdirSync(`/proc/${pid}/task`).map(Number);
    const states = tasks.map((tid) => readFileSync(`/proc/${pid}/task/${tid}/stat`, "latin1"));
    // It says "running" of one that does not sleep.
    const calls = tasks.map((tid) => Number.parseInt(readFileSync(`/proc/${pid}/task/${tid}/syscall`, "latin1"), 10));
    if (calls.length === threads && calls.every((call) => call >= 0) && states.every((stat) => stat.includes(") S ")))
      return calls;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** As job control does it: by nobody who knows the calls. */
async function stoppedOnce(program: Program, threads: number): Promise<void> {
  const { pid } = program;
  process.kill(pid, "SIGSTOP");
  const isStopped = (tid: string): boolean => readFileSync(`/proc/${pid}/task/${tid}/stat`, "latin1").includes(") T ");
  while (!readdirSync(`/proc/${pid}/task`).every(isStopped)) await new Promise((resolve) => setTimeout(resolve, 1));
  process.kill(pid, "SIGCONT");
  expect(new Set(await callsOf(program, threads))).toEqual(new Set([RESTART_SYSCALL]));
}

/** A tracer that is killed while all threads stand still, of which it has borrowed some. */
function killedAmidCall({ pid }: Program, threads: number, signal = 0): void {
  const script = join(import.meta.dirname, "killed-amid-call.ts");
  const tracer = spawnSync(process.execPath, [script, ...[pid, threads, signal].map(String)], { encoding: "utf8" });
  expect([tracer.signal, tracer.stderr]).toEqual(["SIGKILL", ""]);
}

test.each(["nanosleep", "clock", "poll", "futex"] as const)(
  "a call of a lonely thread that has waited on is made again where the tracer is killed: %s",
  async (way) => {
    using program = await Program.started(waits, way);
    expect(await callsOf(program, 1)).toEqual([WAYS[way]]);
    await stoppedOnce(program, 1);
    await stoppedOnce(program, 1);
    killedAmidCall(program, 1);
    expect(await callsOf(program, 1)).toEqual([WAYS[way]]);
    expect(program.alive).toBe(true);
  },
);

test("and those of all threads", async () => {
  using program = await Program.started(waits, ...ALL);
  const numbers = Object.values(WAYS).toSorted();
  expect((await callsOf(program, ALL.length)).toSorted()).toEqual(numbers);
  await stoppedOnce(program, ALL.length);
  killedAmidCall(program, ALL.length);
  expect((await callsOf(program, ALL.length)).toSorted()).toEqual(numbers);
  // Those that were made again are known from the first stop on.
  killedAmidCall(program, ALL.length);
  expect((await callsOf(program, ALL.length)).toSorted()).toEqual(numbers);
  expect(program.alive).toBe(true);
});

test("and where a signal comes that the program ignores; one that it handles interrupts the call", async () => {
  using program = await Program.started(waits, "clock");
  await callsOf(program, 1);
  await stoppedOnce(program, 1);
  killedAmidCall(program, 1, constants.signals.SIGURG);
  expect(await callsOf(program, 1)).toEqual([WAYS.clock]);
  await stoppedOnce(program, 1);
  const line = program.nextLine();
  killedAmidCall(program, 1, constants.signals.SIGUSR1);
  expect(await line).toBe("interrupted");
  expect(await callsOf(program, 1)).toEqual([WAYS.clock]);
});

test("a call that the kernel does not restart is made again where the tracer is killed in a stop, borrowed or not", async () => {
  using program = await Program.started(waits, "epoll", "epoll");
  await callsOf(program, 2);
  killedAmidCall(program, 1);
  expect(await callsOf(program, 2)).toEqual([EPOLL_WAIT, EPOLL_WAIT]);
  expect(program.alive).toBe(true);
});

test("a thread that is given back waits on, and does not begin anew, however often it is borrowed", async () => {
  using program = await Program.started(waits, ...ALL);
  await callsOf(program, ALL.length);
  await stoppedOnce(program, ALL.length);
  using traced = new TracedProcess(program.pid);
  const gadgets = findGadgets(readMappings(program.pid), traced.memory);
  if (gadgets === undefined) throw new Error("no system call in the program");
  for (let round = 0; round < 3; round++) {
    traced.stopped(() => {
      for (const task of traced.tasks) {
        const borrowed = traced.borrow(task, gadgets);
        expect(borrowed.systemCall(SYS_GETPID, [])).toBe(program.pid);
        borrowed.giveBack();
      }
    });
    expect(new Set(await callsOf(program, ALL.length))).toEqual(new Set([RESTART_SYSCALL]));
  }
  traced[Symbol.dispose]();
  expect(program.alive).toBe(true);
});
