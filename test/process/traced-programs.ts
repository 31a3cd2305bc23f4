/** Programs of this directory's folder `trace-programs`, compiled once and run as processes to be traced. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { Apart } from "./apart.ts";

export class TracedPrograms implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), "suture-trace-test-"));

  compiled(source: string): string {
    const output = join(this.directory, source.replace(/\.c$/, ""));
    const input = join(import.meta.dirname, "trace-programs", source);
    execFileSync("gcc", ["-O2", "-pthread", "-o", output, input], { stdio: ["ignore", "ignore", "pipe"] });
    return output;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

/** A running program; killed in the end. */
export class Program implements Disposable {
  readonly #program: Apart;
  readonly #lines: Interface;

  private constructor(program: Apart) {
    this.#program = program;
    this.#lines = createInterface({ input: program.starter.stdout as NodeJS.ReadableStream });
  }

  static async started(path: string, ...args: string[]): Promise<Program> {
    const program = new Program(new Apart(path, args, ["ignore", "pipe", "inherit"]));
    await program.nextLine();
    return program;
  }

  /** What it prints next. Rejects where it ends instead. */
  nextLine(): Promise<string> {
    const { starter } = this.#program;
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error(`ended: ${this.#program.exit}`));
      if (!this.alive) {
        ended();
        return;
      }
      starter.once("exit", ended);
      this.#lines.once("line", (line) => {
        starter.off("exit", ended);
        resolve(line);
      });
    });
  }

  get pid(): number {
    return this.#program.pid;
  }

  get alive(): boolean {
    return this.#program.exit === undefined;
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}
