/** The service of many threads in workers.c: built, started, and what it says of itself. */

import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../src/lib/run.ts";
import { CHECKOUT } from "./suture.ts";

/** What the service says: orders, hundredths of a cent that rounding swallowed, orders that do not add up. */
export interface Books {
  readonly settled: number;
  readonly lost: number;
  readonly torn: number;
}

const FLAGS = ["-O2", "-g", "-pthread"];

/** The program, stripped as one that ships, and the compile_commands.json of its build. */
export async function buildWorkers(directory: string): Promise<void> {
  await copyFile(join(CHECKOUT, "demo/workers.c"), join(directory, "workers.c"));
  await run("gcc", [...FLAGS, "-c", "-o", "workers.o", "workers.c"], { cwd: directory, check: true });
  await run("gcc", ["-pthread", "-s", "-Wl,--build-id", "-o", "workers", "workers.o"], { cwd: directory, check: true });
  const command = { directory, file: "workers.c", arguments: ["gcc", ...FLAGS, "-c", "-o", "workers.o", "workers.c"] };
  await writeFile(join(directory, "compile_commands.json"), JSON.stringify([command], undefined, 1));
}

export class Workers implements Disposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  #said = "";

  constructor(directory: string, threads: number) {
    this.#child = spawn(join(directory, "workers"), [String(threads)], { stdio: ["ignore", "pipe", "inherit"] });
    this.pid = this.#child.pid ?? 0;
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-1000);
    });
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it says next: nothing that was counted before. */
  async books(): Promise<Books> {
    this.#said = "";
    await sleep(250);
    const lines = [...this.#said.matchAll(/^(\d+) settled, (\d+) lost, (\d+) torn$/gm)];
    const [, settled, lost, torn] = lines.at(-1) ?? [];
    return { settled: Number(settled), lost: Number(lost), torn: Number(torn) };
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}
