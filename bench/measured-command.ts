/** `suture` as a user runs it, with its time and its memory. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SUTURE = fileURLToPath(new URL("../bin/suture", import.meta.url));
const POLL_MILLISECONDS = 20;
/** USER_HZ, the same on every Linux of this architecture. */
const TICKS_PER_SECOND = 100;

export interface Measured {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the start of the process to its end. */
  readonly seconds: number;
  /** What the process and the programs that it ran took of all processors; other work on the machine changes it little. */
  readonly processorSeconds: number;
  /** The most that the process had in memory at a time; the compilers that it runs are not counted. */
  readonly peakMegabytes: number;
}

export async function measured(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Measured> {
  const began = performance.now();
  const child = spawn(SUTURE, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  let peakKilobytes = 0;
  let ticks = 0;
  const timer = setInterval(() => {
    peakKilobytes = Math.max(peakKilobytes, highWater(child.pid));
    ticks = Math.max(ticks, processorTicks(child.pid));
  }, POLL_MILLISECONDS);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    return {
      status,
      stdout: Buffer.concat(out).toString(),
      stderr: Buffer.concat(err).toString(),
      seconds: rounded((performance.now() - began) / 1000),
      processorSeconds: rounded(ticks / TICKS_PER_SECOND),
      peakMegabytes: Math.round(peakKilobytes / 1024),
    };
  } finally {
    clearInterval(timer);
  }
}

/** By the kernel's own account, in KiB; 0 for a process that has ended. */
function highWater(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Of the process and of the children that it has waited for: proc(5), fields 14 to 17 of stat. */
function processorTicks(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  } catch {
    return 0;
  }
}

/** To a hundredth. */
export function rounded(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
