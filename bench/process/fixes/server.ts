/** A server program of our own: started on loopback, watched, ended by its pid. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "../../../src/lib/process-life.ts";

export interface ServerProgram {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where it is started. */
  readonly directory: string;
  /** On which it takes TCP connections when it is ready. */
  readonly port: number;
  /** That there are when it is ready, with those that it starts. */
  readonly processes?: number;
}

const READY_SECONDS = 20;
const GRACE_MILLISECONDS = 3000;

export class Server implements AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly #child: ChildProcess;
  #output = "";

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.port = port;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#keep(text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#keep(text));
  }

  /** Resolves when the port answers and all processes are there; throws with what the program said where that does not come. */
  static async start({ program, args, env, directory, port, processes = 1 }: ServerProgram): Promise<Server> {
    const child = spawn(program, args, {
      cwd: directory,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    const server = new Server(child, port);
    const isReady = async () => (await answers(port)) && server.pids().length >= processes;
    for (const end = Date.now() + READY_SECONDS * 1000; !(await isReady()); await sleep(50)) {
      if (server.alive && Date.now() < end) continue;
      await server[Symbol.asyncDispose]();
      throw new Error(`${program} does not answer on port ${port}: ${server.output.slice(-2000)}`);
    }
    return server;
  }

  /** Whether the process that was started is the one that runs. */
  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && isAlive(this.pid);
  }

  /** What it has printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Its own and those of the processes that it has started and that live. */
  pids(): number[] {
    return [this.pid, ...descendants(this.pid)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.alive) return;
    const ended = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), GRACE_MILLISECONDS);
    await ended;
    clearTimeout(timer);
  }

  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-(1 << 20));
  }
}

function descendants(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    if (children === "") return [];
    return children.split(" ").flatMap((child) => [Number(child), ...descendants(Number(child))]);
  } catch {
    return [];
  }
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** A TCP port that was free just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return address !== null && typeof address === "object" ? address.port : 0;
}
