/** The programs that a livepatch was loaded into, and whether they live on. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Of proc(5), `stat`: fields are counted from the state, which is the third of all. */
const START_TIME = 19;
/** Clock ticks a second that the kernel shows to programs, on every machine (USER_HZ). */
const TICKS = 100;

/** One that has got the livepatch. */
export interface PatchedProcess {
  readonly pid: number;
  readonly name: string;
}

/** One process while it lives: its number is given to another one later. */
export interface ProgramRun extends PatchedProcess {
  /** In clock ticks since boot. */
  readonly started: number;
  /** How long it has run when it was looked at. */
  readonly ageSeconds: number;
}

/** undefined where there is none, or where it has ended and nobody has taken notice yet. @param root of the file system */
export function programRun(pid: number, root = "/"): ProgramRun | undefined {
  try {
    const stat = readFileSync(join(root, "proc", String(pid), "stat"), "latin1");
    const end = stat.lastIndexOf(")");
    const fields = stat.slice(end + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const started = Number(fields[START_TIME]);
    const uptime = Number.parseFloat(readFileSync(join(root, "proc/uptime"), "latin1"));
    const name = stat.slice(stat.indexOf("(") + 1, end);
    return { pid, name, started, ageSeconds: uptime - started / TICKS };
  } catch {
    return undefined;
  }
}

/** Which of them have ended. */
export function endedOf(programs: readonly ProgramRun[], root = "/"): ProgramRun[] {
  return programs.filter(({ pid, started }) => programRun(pid, root)?.started !== started);
}
