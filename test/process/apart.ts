import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";

/** The program is a child of a shell, and both end with their parents. */
const STARTER = ["--pdeathsig", "KILL", "sh", "-c", 'setpriv --pdeathsig KILL "$@"; exit $?', "sh"];

/**
 * A program that this process can trace. It is not a child of ours: what ptrace says
 * of a child of its own, Node may hear first, takes for its end, and tells nobody.
 */
export class Apart implements Disposable {
  readonly pid: number;
  /** Its standard streams are the program's. */
  readonly starter: ChildProcess;

  /** Returns when the program runs. */
  constructor(path: string, args: readonly string[], stdio: StdioOptions) {
    this.starter = spawn("setpriv", [...STARTER, path, ...args], { stdio });
    this.pid = programOf(this.starter.pid as number, path);
  }

  /** Whether it has ended, also where no event could be told of since. */
  get isOver(): boolean {
    return this.exit !== undefined || hasEnded(this.starter.pid as number);
  }

  /** How it ended, if it has: its exit code, which is 128 more than the signal that ended it. */
  get exit(): number | undefined {
    return this.starter.exitCode ?? undefined;
  }

  [Symbol.dispose](): void {
    // The program ends with it, and the shell has nothing to say of that.
    this.starter.kill("SIGKILL");
  }
}

function programOf(starter: number, path: string): number {
  while (!hasEnded(starter)) {
    const [child] = childrenOf(starter);
    if (child !== undefined && executableOf(child) === path) return child;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
  throw new Error(`${path} does not start`);
}

function hasEnded(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
  } catch {
    return true;
  }
}

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
  return list.split(" ").filter(Boolean).map(Number);
}

function executableOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}
