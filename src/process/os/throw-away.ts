/** A process that nobody needs, for what is better tried there first. */
import { libc } from "./libc.ts";
import { look, wait } from "./wait.ts";

/** Should we be killed meanwhile it ends by itself. */
const LIFE_SECONDS = "5";

/**
 * Has the body do what it likes with a throw-away process of one thread. Nothing
 * happens where there is no such process to be had, and nothing follows from what the body throws.
 */
export function onThrowAwayProcess(body: (pid: number) => void): void {
  const pid = start();
  if (pid === undefined) return;
  try {
    body(pid);
  } catch {
    // A machine on which nothing can be traced says so where it matters.
  } finally {
    end(pid);
  }
}

/** On a slow machine it may have ended by itself, and been waited for by what traced it: its id is any process's then. */
function end(pid: number): void {
  if (look(pid, false).kind === "no-tracee") return;
  process.kill(pid, "SIGKILL");
  wait(pid, true);
}

/** Not by node:child_process: what becomes of this child is for us alone to hear. */
function start(): number | undefined {
  const pid = new Int32Array(1);
  const failed = libc().posixSpawn(pid, "sleep", null, null, ["sleep", LIFE_SECONDS, null], [null]) !== 0;
  return failed ? undefined : pid[0];
}
