/** A program of test/cases/process, or of a test's own files: compiled, a livepatch built for it by the command line, and run. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { type ProgramLivepatch, readProgramLivepatch } from "../../src/process/loader/livepatch.ts";
import { shown } from "../fixtures/shown.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");
const CASES = resolve(import.meta.dirname, "../cases/process");

export interface Built {
  readonly status: number;
  /** Of the refusals. */
  readonly codes: readonly string[];
  readonly result: { readonly refusals?: readonly { code: string; what: string }[]; readonly metadata?: unknown };
}

export class CaseProgram implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), "suture-case-"));
  readonly #patch: string;
  readonly #commands: { directory: string; command: string; file: string }[] = [];

  /** @param from a case's name, or files and the text of each with the fix */
  constructor(from: string | Readonly<Record<string, string | readonly [original: string, patched: string]>>) {
    const source = join(this.directory, "src");
    this.#patch = join(this.directory, "fix.patch");
    mkdirSync(source);
    if (typeof from === "string") {
      cpSync(join(CASES, from, "src"), source, { recursive: true });
      cpSync(join(CASES, from, "fix.patch"), this.#patch);
      return;
    }
    const fixed = join(this.directory, "fixed");
    for (const [path, text] of Object.entries(from)) {
      const [original, patched] = typeof text === "string" ? [text, text] : text;
      for (const [into, content] of [
        [source, original],
        [fixed, patched],
      ] as const) {
        mkdirSync(dirname(join(into, path)), { recursive: true });
        writeFileSync(join(into, path), content);
      }
    }
    const { stdout } = spawnSync("diff", ["-ruN", "src", "fixed"], { cwd: this.directory, encoding: "utf8" });
    writeFileSync(this.#patch, stdout);
    rmSync(fixed, { recursive: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  get source(): string {
    return join(this.directory, "src");
  }

  path(name: string): string {
    return join(this.source, name);
  }

  /** Compiles each file to an object beside it, and notes the command. */
  compile(compiler: string, ...files: readonly string[]): this {
    for (const file of files) {
      const command = `${compiler} -c ${file} -o ${file.replace(/\.\w+$/, ".o")}`;
      this.shell(command);
      this.#commands.push({ directory: this.source, command, file });
    }
    writeFileSync(this.path("compile_commands.json"), JSON.stringify(this.#commands));
    return this;
  }

  shell(command: string): this {
    execFileSync("sh", ["-e", "-c", command], { cwd: this.source, stdio: ["ignore", "pipe", "inherit"] });
    return this;
  }

  /** What a command writes. */
  output(command: string): string {
    return execFileSync("sh", ["-e", "-c", command], { cwd: this.source, encoding: "utf8" });
  }

  /** `suture build`, for one of the files that were linked. */
  build(executable: string, ...options: readonly string[]): Built {
    const named = ["--compile-commands", "compile_commands.json", "--exe", resolve(this.source, executable)];
    const output = ["--name", "livepatch_fix", "-o", this.livepatchPath];
    const args = ["build", "--json", "-q", ...named, ...output, ...options, this.#patch];
    const { status, stdout, stderr } = spawnSync(SUTURE, args, { cwd: this.source, encoding: "utf8" });
    if (stdout === "") throw new Error(stderr);
    const result = shown(stdout);
    const codes = (result.refusals ?? []).map((each: { code: string }) => each.code) as string[];
    return { status: status ?? -1, codes, result };
  }

  get diffPath(): string {
    return this.#patch;
  }

  get livepatchPath(): string {
    return join(this.directory, "livepatch-fix.o");
  }

  livepatch(): ProgramLivepatch {
    return readProgramLivepatch(readFileSync(this.livepatchPath), this.livepatchPath);
  }

  async run(command: string, ...args: readonly string[]): Promise<RunningCase> {
    return await RunningCase.start(this.source, [command, ...args]);
  }
}

/** What ptrace says of a child of its own Node takes for its end: the program is a child of a shell, which says its number apart. */
const STARTER = 'exec 3<&0; "$@" <&3 3<&- 4>&- & echo $! >&4; exec 3<&- 4>&-; wait $!; exit $?';

export class RunningCase implements AsyncDisposable {
  readonly pid: number;
  readonly #starter: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(starter: ChildProcess, lines: AsyncIterator<string>, pid: number) {
    this.#starter = starter;
    this.#lines = lines;
    this.pid = pid;
  }

  static async start(cwd: string, command: readonly string[]): Promise<RunningCase> {
    const starter = spawn("sh", ["-c", STARTER, "sh", ...command], {
      cwd,
      stdio: ["pipe", "pipe", "inherit", "ignore", "pipe"],
    });
    const lines = createInterface({ input: starter.stdout as Readable })[Symbol.asyncIterator]();
    const [number] = await once(starter.stdio[4] as Readable, "data");
    const pid = Number(number);
    // Until then it is a copy of the shell.
    const executable = realpathSync(resolve(cwd, command.findLast((each) => /^\.\//.test(each)) ?? ""));
    while (readlinkSync(`/proc/${pid}/exe`) !== executable) await setTimeout(1);
    return new RunningCase(starter, lines, pid);
  }

  /** Writes a line to the program, and gives the line that it answers. */
  async ask(question = ""): Promise<string> {
    this.#starter.stdin?.write(`${question}\n`);
    return await this.line();
  }

  /** The next line of what the program writes. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the program has ended");
    return value;
  }

  /** Ends its input; how it ends then: the exit code, which is 128 more than the signal that ended it. */
  async ended(): Promise<number> {
    if (this.#starter.exitCode !== null) return this.#starter.exitCode;
    const exit = once(this.#starter, "exit");
    this.#starter.stdin?.end();
    const [code] = await exit;
    return code as number;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#starter.exitCode !== null) return;
    const ended = once(this.#starter, "exit");
    try {
      process.kill(this.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
    await ended;
  }
}
