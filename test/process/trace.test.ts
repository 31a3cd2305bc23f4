import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readMappings } from "../../src/process/os/mappings.ts";
import { isInMask, SIGTRAP } from "../../src/process/os/signals.ts";
import { findGadgets, type Gadgets } from "../../src/process/tracer/gadgets.ts";
import { TracedProcess } from "../../src/process/tracer/traced-process.ts";
import { Program, TracedPrograms } from "./traced-programs.ts";

const SYS_MMAP = 9;
const SYS_MUNMAP = 11;

const programs = new TracedPrograms();
const registers = programs.compiled("registers.c");
const changing = programs.compiled("changing.c");

afterAll(() => programs[Symbol.dispose]());

function gadgetsOf(traced: TracedProcess): Gadgets {
  const gadgets = findGadgets(readMappings(traced.pid), traced.memory);
  if (gadgets === undefined) throw new Error("no system call in the program");
  return gadgets;
}

function mapAndUnmap(traced: TracedProcess, gadgets: Gadgets, task: number): void {
  const borrowed = traced.borrow(task, gadgets);
  expect(borrowed.healsItself).toBe(true);
  const address = borrowed.systemCall(SYS_MMAP, [0, 8192, 1, 0x22, -1, 0]);
  expect(address).toBeGreaterThan(0);
  traced.memory.write(address, Buffer.from("suture"));
  expect(traced.memory.read(address, 6).toString()).toBe("suture");
  expect(borrowed.systemCall(SYS_MUNMAP, [address, 8192])).toBe(0);
  borrowed.giveBack();
}

test("every thread stands still while the body runs, and runs on after it as if nothing had been", async () => {
  using program = await Program.started(registers, "63");
  using traced = new TracedProcess(program.pid);
  for (let round = 0; round < 200; round++) {
    const { value, cost } = traced.stopped(() => {
      const states = traced.tasks.map((task) => readFileSync(`/proc/${program.pid}/task/${task}/stat`, "latin1"));
      return states.filter((stat) => !/\) t /.test(stat)).length;
    });
    expect(value).toBe(0);
    expect(cost.tasks).toBe(64);
  }
  traced[Symbol.dispose]();
  await program.nextLine();
  await program.nextLine();
});

test("a borrowed thread makes a system call and does not notice", async () => {
  using program = await Program.started(registers, "16");
  using traced = new TracedProcess(program.pid);
  const gadgets = gadgetsOf(traced);
  for (let round = 0; round < 20; round++) {
    traced.stopped(() => {
      for (const task of traced.tasks) mapAndUnmap(traced, gadgets, task);
    });
  }
  traced[Symbol.dispose]();
  await program.nextLine();
  await program.nextLine();
});

test("a thread is stopped where it is wanted, again and again, and others are not", async () => {
  using program = await Program.started(registers, "4");
  using traced = new TracedProcess(program.pid);
  const watched = traced.tasks[0] as number;
  let address = 0;
  // Main sleeps: when it is stopped, what it comes to next is where its system call returns to.
  traced.stopped(() => {
    address = traced.registers(watched).pc;
    expect(traced.watch(watched, address)).toBe(true);
  });
  for (let hits = 0; hits < 5; ) {
    const event = traced.poll();
    if (event === undefined) continue;
    expect(event).toEqual({ kind: "left", task: watched });
    const beyond = traced.registers(watched).pc - address;
    expect(beyond).toBeGreaterThanOrEqual(0);
    expect(beyond).toBeLessThanOrEqual(15);
    traced.resume(watched);
    hits++;
  }
  traced.unwatch(watched);
  traced[Symbol.dispose]();
  await program.nextLine();
});

test("what a stop point has caused is forgotten, where the program has blocked its signal too", async () => {
  using program = await Program.started(changing, "blocks");
  const { pid } = program;
  const has = (mask: "SigPnd" | "SigBlk"): boolean =>
    isInMask(readFileSync(`/proc/${pid}/task/${pid}/status`, "latin1"), mask, SIGTRAP);
  while (!has("SigBlk"));
  using traced = new TracedProcess(pid);
  traced.stopped(() => {
    expect(traced.watch(pid, traced.registers(pid).pc)).toBe(true);
  });
  while (!has("SigPnd")) traced.poll();
  traced.stopped(() => {
    traced.unwatch(pid);
    traced.forgetTraps();
  });
  expect(has("SigPnd")).toBe(false);
  expect(has("SigBlk")).toBe(true);
  traced[Symbol.dispose]();
  process.kill(pid, "SIGUSR1");
  expect(await program.nextLine()).toBe("unblocked");
});

test("threads that are born and end all the time are all stopped", async () => {
  using program = await Program.started(changing, "births");
  using traced = new TracedProcess(program.pid);
  for (let round = 0; round < 200; round++) {
    traced.stopped(() => {
      const threads = traced.tasks.map((task) => readFileSync(`/proc/${program.pid}/task/${task}/stat`, "latin1"));
      expect(threads.every((stat) => /\) [tZ] /.test(stat))).toBe(true);
    });
    while (traced.poll() !== undefined);
  }
  expect(program.alive).toBe(true);
});

test("a filter that kills at mmap does not see the mmap of ours", async () => {
  using program = await Program.started(changing, "filter");
  using traced = new TracedProcess(program.pid);
  const gadgets = gadgetsOf(traced);
  traced.stopped(() => mapAndUnmap(traced, gadgets, program.pid));
  traced[Symbol.dispose]();
  expect(program.alive).toBe(true);
});

test("a process that is stopped by job control stays stopped, and goes on when it is continued", async () => {
  using program = await Program.started(registers, "3");
  const state = (): string | undefined =>
    /^State:\s(\S)/m.exec(readFileSync(`/proc/${program.pid}/status`, "latin1"))?.[1];
  process.kill(program.pid, "SIGSTOP");
  using traced = new TracedProcess(program.pid);
  const gadgets = gadgetsOf(traced);
  for (let round = 0; round < 10; round++) {
    traced.stopped(() => mapAndUnmap(traced, gadgets, traced.tasks[round % 4] as number));
    while (traced.poll() !== undefined);
  }
  traced[Symbol.dispose]();
  while (state() !== "T") await new Promise((resolve) => setTimeout(resolve, 1));
  process.kill(program.pid, "SIGCONT");
  await program.nextLine();
  await program.nextLine();
});

test("exec in the middle means that the process is another one", async () => {
  using program = await Program.started(changing, "exec");
  using traced = new TracedProcess(program.pid);
  const gone = (): string => {
    for (;;) {
      const event = traced.poll();
      if (event?.kind === "gone") return event.why;
    }
  };
  expect(gone()).toMatch(/exec/);
  expect(() => traced.stopped(() => {})).toThrow(expect.objectContaining({ code: "TARGET_GONE" }));
});

test("a process that ends is gone, not an error", async () => {
  using program = await Program.started(registers, "8");
  using traced = new TracedProcess(program.pid);
  process.kill(program.pid, "SIGKILL");
  for (;;) if (traced.poll()?.kind === "gone") break;
  expect(() => traced.stopped(() => {})).toThrow(expect.objectContaining({ code: "TARGET_GONE" }));
});

/** What is traced still, or was not waited for, keeps the program's parent from hearing of its end. */
const heardOfEnd = async (program: Program): Promise<void> => {
  while (program.alive) await new Promise((resolve) => setImmediate(resolve));
};

test.each(["as it stands still", "as it runs"])("a process that is killed %s is no zombie of ours", async (when) => {
  for (let round = 0; round < 20; round++) {
    using program = await Program.started(registers, "3");
    using traced = new TracedProcess(program.pid);
    const kill = () => process.kill(program.pid, "SIGKILL");
    if (when === "as it runs") kill();
    else {
      traced.stopped(() => {
        kill();
        // Within the stop: what is standing is let go as it is.
        traced[Symbol.dispose]();
      });
    }
    traced[Symbol.dispose]();
    await heardOfEnd(program);
  }
});

test("a first thread that ends before the others, and is traced then, is waited for when they have ended", async () => {
  using program = await Program.started(changing, "leaves");
  const { pid } = program;
  const isLeft = (): boolean => readFileSync(`/proc/${pid}/task/${pid}/stat`, "latin1").includes(") Z ");
  while (readdirSync(`/proc/${pid}/task`).length < 2);
  using traced = new TracedProcess(pid);
  process.kill(pid, "SIGUSR1");
  while (!isLeft()) traced.poll();
  traced[Symbol.dispose]();
  expect(program.alive).toBe(true);
  // Another look at it finds the thread that lives.
  using again = new TracedProcess(pid);
  expect(again.stopped(() => again.tasks.length).value).toBe(1);
  again[Symbol.dispose]();
  process.kill(pid, "SIGKILL");
  await heardOfEnd(program);
});

test("a process that is traced already, or is none, is refused", async () => {
  using program = await Program.started(registers, "2");
  const tracer = await otherTracer(program.pid);
  expect(() => new TracedProcess(program.pid)).toThrow(
    expect.objectContaining({ code: "ALREADY_TRACED", message: expect.stringContaining(String(tracer.pid)) }),
  );
  tracer.kill("SIGKILL");
  expect(() => new TracedProcess(4_194_304)).toThrow(expect.objectContaining({ code: "TARGET_GONE" }));
});

test("the tracer is killed at any moment of a system call in a borrowed thread, and the process does not notice", async () => {
  using program = await Program.started(registers, "8");
  for (let round = 0; round < 30; round++) {
    const tracer = await otherTracer(program.pid);
    await new Promise((resolve) => setTimeout(resolve, round / 2));
    const ended = once(tracer, "exit");
    tracer.kill("SIGKILL");
    await ended;
  }
  await program.nextLine();
  await program.nextLine();
});

/** Another program that borrows the threads of the process all the time. */
async function otherTracer(pid: number) {
  const tracer = spawn(process.execPath, [join(import.meta.dirname, "remote-calls-forever.ts"), String(pid)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await Promise.race([once(tracer.stdout, "data"), once(tracer, "exit")]);
  // Where the process has ended it finds none.
  if (tracer.exitCode !== null) throw new Error(`the tracer has ended with ${tracer.exitCode}`);
  return tracer;
}
