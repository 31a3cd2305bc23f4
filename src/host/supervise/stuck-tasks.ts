/** Tasks that wait for something that does not come. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A task in uninterruptible sleep. */
export interface Sleeper {
  readonly tid: number;
  readonly name: string;
  /** How often it has gone to sleep by itself: the same number is the same sleep. */
  readonly sleeps: number;
  /** The function of the kernel that it waits in; empty where that is not told. */
  readonly where: string;
}

/** All of them at this moment. @param root of the file system */
export function sleepers(root = "/"): Sleeper[] {
  const proc = join(root, "proc");
  return numbersIn(proc).flatMap((pid) =>
    numbersIn(join(proc, pid, "task")).flatMap((tid) => {
      try {
        return sleeperAt(join(proc, pid, "task", tid), Number(tid));
      } catch {
        // It has ended meanwhile.
        return [];
      }
    }),
  );
}

function sleeperAt(directory: string, tid: number): Sleeper[] {
  const stat = readFileSync(join(directory, "stat"), "latin1");
  const end = stat.lastIndexOf(")");
  if (stat[end + 2] !== "D") return [];
  const status = readFileSync(join(directory, "status"), "latin1");
  const sleeps = Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  const name = stat.slice(stat.indexOf("(") + 1, end);
  return [{ tid, name, sleeps, where: whereIt(directory) }];
}

function whereIt(directory: string): string {
  try {
    const where = readFileSync(join(directory, "wchan"), "latin1");
    return where === "0" ? "" : where;
  } catch {
    return "";
  }
}

function numbersIn(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Of those in `now`, who was in the same sleep at an earlier look. */
export function stillAsleep(earlier: readonly Sleeper[], now: readonly Sleeper[]): Sleeper[] {
  const before = new Map(earlier.map((each) => [each.tid, each.sleeps]));
  return now.filter(({ tid, sleeps }) => before.get(tid) === sleeps);
}
