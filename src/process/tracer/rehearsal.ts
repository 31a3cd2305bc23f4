/**
 * The first stop of a fresh command would take many times as long as later ones: what
 * it runs has to be compiled, and bound to the C library, while all threads stand
 * still. So it is rehearsed before, on a program that nobody needs.
 */
import koffi from "koffi";
import { look, NO_TRACEE, wait } from "../os/linux.ts";
import { TracedProcess } from "./traced-process.ts";

const libc = koffi.load("libc.so.6");
const posixSpawn = libc.func(
  "int posix_spawnp(void *pid, const char *file, void *actions, void *attributes, const char **argv, const char **envp)",
);

/** How long one rehearsal takes, milliseconds: by then a stop costs what it costs ever after. */
const REHEARSAL_MS = 15;
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
  if (look(pid, false) === NO_TRACEE) return;
  process.kill(pid, "SIGKILL");
  wait(pid, true);
}

/** Stops a process that nobody needs again and again. */
export function rehearseStops(pid: number): void {
  using traced = new TracedProcess(pid);
  const end = performance.now() + REHEARSAL_MS;
  do {
    traced.stopped(() => {
      for (const task of traced.tasks) traced.registers(task);
    });
    traced.poll();
  } while (performance.now() < end);
}

/** Not by node:child_process: what becomes of this child is for us alone to hear. */
function start(): number | undefined {
  const pid = Buffer.alloc(4);
  const failed = posixSpawn(pid, "sleep", null, null, ["sleep", LIFE_SECONDS, null], [null]) !== 0;
  return failed ? undefined : pid.readInt32LE(0);
}
