import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Registers } from "../../src/arch/registers.ts";
import { libc } from "../../src/process/os/libc.ts";
import { nativeLinux } from "../../src/process/os/native.ts";
import { interrupt, readRegisters, resume, seize } from "../../src/process/os/ptrace.ts";
import { SIGTRAP } from "../../src/process/os/signals.ts";
import { wait } from "../../src/process/os/wait.ts";
import type { Nothing, WaitStatus } from "../../src/process/os/wait-status.ts";
import type { TargetMemory } from "../../src/process/stack/target-memory.ts";
import { Apart } from "./apart.ts";

const PTRACE_SINGLESTEP = 9;
const BUFFER_SIZE = 1 << 20;
/** For one instruction, on a busy machine. */
const STEP_MS = 2000;
const EAGER_TRIES = 1000;
const nobody = new Int32Array(new SharedArrayBuffer(4));

/** A directory with programs, made of those beside this file; removed in the end. */
export class Programs implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), "suture-unwind-test-"));

  /** The path of the program made of this source with these options. */
  compiled(source: string, compiler: string, ...options: string[]): string {
    const output = join(this.directory, `program-${readdirSync(this.directory).length}`);
    const input = join(import.meta.dirname, "unwind-programs", source);
    execFileSync(compiler, [...options, "-o", output, input], { stdio: ["ignore", "ignore", "pipe"] });
    return output;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

/** A process of ours, killed in the end. */
export class Tracee implements Disposable {
  readonly pid: number;
  /** The first line that it printed. */
  readonly line: string;
  readonly memory: TargetMemory;
  /** Registers as of the last stop, by thread. */
  readonly threads = new Map<number, Registers>();
  readonly #program: Apart;
  readonly #mem: number;
  /** Signals that were on their way when a thread stopped. */
  readonly #signals = new Map<number, number>();

  private constructor(program: Apart, line: string) {
    this.#program = program;
    this.pid = program.pid;
    this.line = line;
    this.#mem = openSync(`/proc/${this.pid}/mem`, "r");
    const buffer = Buffer.alloc(BUFFER_SIZE);
    this.memory = { read: (address, length) => this.#read(buffer, address, length) };
  }

  /** Starts a program and waits until it has printed a line. */
  static async started(path: string, ...args: string[]): Promise<Tracee> {
    const program = new Apart(path, args, ["ignore", "pipe", "inherit"]);
    const input = program.starter.stdout as NodeJS.ReadableStream;
    for await (const line of createInterface({ input })) return new Tracee(program, line);
    throw new Error(`${path} printed nothing`);
  }

  [Symbol.dispose](): void {
    closeSync(this.#mem);
    this.#program[Symbol.dispose]();
    // Its parent hears of the first thread's end when its tracer has, and that when it has of the others'.
    for (const thread of this.threads.keys()) if (thread !== this.pid) wait(thread, true);
    wait(this.pid, true);
  }

  #read(buffer: Buffer, address: number, length: number): Buffer | undefined {
    try {
      if (length > BUFFER_SIZE || readSync(this.#mem, buffer, 0, length, address) !== length) return undefined;
      return buffer.subarray(0, length);
    } catch {
      return undefined;
    }
  }

  /** Stops all threads. Those that have been born since the last stop are among them. */
  stop(): void {
    for (const name of readdirSync(`/proc/${this.pid}/task`)) {
      const thread = Number(name);
      if (this.threads.has(thread) || seize(thread) !== 0) continue;
      this.threads.set(thread, nativeLinux().newRegisters());
    }
    for (const thread of this.threads.keys()) interrupt(thread);
    for (const thread of [...this.threads.keys()]) this.#stopped(thread);
  }

  resume(): void {
    for (const thread of this.threads.keys()) resume(thread, "run", this.#signals.get(thread) ?? 0);
  }

  /**
   * Lets a stopped thread execute one instruction, or enter a signal handler. false
   * where that is a system call that waits, for a thread that stands still maybe.
   */
  step(thread: number): boolean {
    libc().ptraceWithNumber(PTRACE_SINGLESTEP, thread, 0, this.#signals.get(thread) ?? 0);
    const end = performance.now() + STEP_MS;
    for (let tries = 0; ; tries++) {
      const status = wait(thread, false);
      if (status.kind !== "nothing") {
        this.#take(thread, status);
        return true;
      }
      if (tries < EAGER_TRIES) continue;
      if (performance.now() > end) break;
      Atomics.wait(nobody, 0, 0, 1);
    }
    interrupt(thread);
    this.#stopped(thread);
    return false;
  }

  #stopped(thread: number): void {
    this.#take(thread, wait(thread, true));
  }

  #take(thread: number, status: WaitStatus | Nothing): void {
    const registers = this.threads.get(thread);
    const isGone = status.kind === "ended" || status.kind === "no-tracee" || status.kind === "interrupted";
    if (isGone || registers === undefined) {
      this.threads.delete(thread);
      return;
    }
    this.#signals.set(thread, status.kind === "signal" && status.signal !== SIGTRAP ? status.signal : 0);
    readRegisters(thread, registers);
  }
}
