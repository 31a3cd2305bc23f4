import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Code, CodeRange, Site } from "../../src/core/machine.ts";
import { ProcessMemory } from "../../src/process/os/memory.ts";
import { Apart } from "./apart.ts";

const COUNTS = 64;

export interface Counts {
  readonly calls: number;
  readonly mixed: number;
  /** Rounds of h by its version. */
  readonly old: number;
  readonly new: number;
  /** Threads that ended and were followed by another one. */
  readonly restarts: number;
}

export interface VersionsOptions {
  readonly threads: number;
  /** Calls of f and g that h makes each time. */
  readonly rounds: number;
  /** How many of the threads rest between calls of h. */
  readonly resting: number;
  /** After how many calls of h a thread ends, with another one in its place; never where it is left out. */
  readonly life?: number;
}

/** The compiled hook-programs/versions.c; its directory is removed in the end. */
export class VersionsProgram implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "suture-hooks-test-"));
  readonly path: string = join(this.#directory, "versions");
  readonly #symbols = new Map<string, CodeRange>();

  constructor(...options: string[]) {
    const source = join(import.meta.dirname, "hook-programs", "versions.c");
    // Callers must not rely on which registers a function leaves alone: its other version may not.
    execFileSync("gcc", ["-O2", "-fno-ipa-ra", "-pthread", ...options, "-o", this.path, source]);
    const symbols = execFileSync("nm", ["-S", this.path], { encoding: "utf8" });
    for (const [, start = "", size = "", name = ""] of symbols.matchAll(/^([0-9a-f]+) ([0-9a-f]+) [tT] (\w+)$/gm)) {
      const at = Number.parseInt(start, 16);
      this.#symbols.set(name, { start: at, end: at + Number.parseInt(size, 16) });
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }

  run(options: VersionsOptions): RunningVersions {
    return new RunningVersions(
      this.path,
      this.#symbols,
      join(this.#directory, `counts-${process.hrtime.bigint()}`),
      options,
    );
  }
}

/** One run of it, killed in the end. */
export class RunningVersions implements Disposable {
  readonly pid: number;
  readonly threads: number;
  readonly #program: Apart;
  readonly #counts: string;
  readonly #symbols: ReadonlyMap<string, CodeRange>;
  readonly #base: number;

  constructor(path: string, symbols: ReadonlyMap<string, CodeRange>, counts: string, options: VersionsOptions) {
    const { threads, rounds, resting, life = 0 } = options;
    this.threads = threads;
    this.#symbols = symbols;
    this.#counts = counts;
    this.#program = new Apart(path, [counts, threads, rounds, resting, life].map(String), "inherit");
    this.pid = this.#program.pid;
    this.#waitUntil(() => Number(this.#slot(threads).readBigUInt64LE()) === 1);
    const maps = readFileSync(`/proc/${this.pid}/maps`, "latin1");
    const first = maps.split("\n").find((line) => line.endsWith(path)) ?? "";
    // Position-independent or not, by where the first symbol's page can be.
    const start = Number.parseInt(first, 16);
    this.#base = (symbols.get("main")?.start ?? 0) >= start ? 0 : start;
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }

  /** How it ended, if it has: its exit code, or 128 and the signal's number. */
  get exit(): number | undefined {
    return this.#program.exit;
  }

  code(name: string): Code {
    const range = this.#symbols.get(name) as CodeRange;
    const start = this.#base + range.start;
    return { entry: start, ranges: [{ start, end: this.#base + range.end }] };
  }

  site(name: string): Site {
    return { id: `versions:${name},0`, original: this.code(name) };
  }

  /** The bytes of a function as they are in the process. */
  bytes(name: string): Buffer {
    using memory = new ProcessMemory(this.pid);
    const [{ start, end }] = this.code(name).ranges as [CodeRange];
    return memory.read(start, end - start);
  }

  counts(): Counts {
    const total = { calls: 0, mixed: 0, old: 0, new: 0, restarts: 0 };
    const all = readFileSync(this.#counts);
    for (let thread = 0; thread < this.threads; thread++) {
      const each = countsIn(all.subarray(thread * COUNTS));
      total.calls += each.calls;
      total.mixed += each.mixed;
      total.old += each.old;
      total.new += each.new;
      total.restarts += each.restarts;
    }
    return total;
  }

  /** Makes it fork; gives the child, whose only thread makes calls of its own. */
  fork(): { readonly pid: number; counts(): Counts } {
    process.kill(this.pid, "SIGUSR1");
    this.#waitUntil(() => Number(this.#slot(this.threads).readBigUInt64LE(8)) !== 0);
    const pid = Number(this.#slot(this.threads).readBigUInt64LE(8));
    return { pid, counts: () => countsIn(this.#slot(this.threads + 1)) };
  }

  /** Calls that each thread has made. */
  callsOfThreads(): number[] {
    const all = readFileSync(this.#counts);
    return Array.from({ length: this.threads }, (_, thread) => Number(all.readBigUInt64LE(thread * COUNTS)));
  }

  #slot(index: number): Buffer {
    try {
      const slot = readFileSync(this.#counts).subarray(index * COUNTS, (index + 1) * COUNTS);
      return slot.length === COUNTS ? slot : Buffer.alloc(COUNTS);
    } catch {
      return Buffer.alloc(COUNTS);
    }
  }

  #waitUntil(isSo: () => boolean): void {
    while (!isSo()) {
      if (this.#program.isOver) throw new Error("the program has ended");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function countsIn(slot: Buffer): Counts {
  const at = (offset: number): number => Number(slot.readBigUInt64LE(offset));
  return { calls: at(0), mixed: at(8), old: at(16), new: at(24), restarts: at(32) };
}
