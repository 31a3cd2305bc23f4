/** Processes that have just been started: each gets what is installed for it as soon as its own code begins. */
import { statSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { SutureError } from "../../lib/error.ts";
import type { ProgramLivepatch } from "../../process/loader/livepatch.ts";
import { ProcessView } from "../../process/maps/process-view.ts";
import { isStarted } from "../../process/maps/startup.ts";
import { buildIdsIn } from "../../targets/process/discover.ts";

/** A file, by device and inode. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

/** Milliseconds from the first look on, and how much longer each wait is than the one before. */
const FIRST_WAIT_MS = 1;
const LONGEST_WAIT_MS = 50;
const GROWTH = 1.3;
/** An exec that has not come through by then has failed, or will be told of again. */
const MOST_EXEC_MS = 5000;
/** A dynamic linker that takes longer than this waits for a disk or a debugger: a later look at all processes finds it. */
const MOST_MS = 30_000;

/**
 * Which of the livepatches a process needs, once it runs the file that it was about to execute, and its dynamic
 * linker has done its work; none where it has ended, or executes another file by then.
 */
export async function neededBy(
  pid: number,
  file: FileIdentity,
  livepatches: readonly ProgramLivepatch[],
): Promise<readonly ProgramLivepatch[]> {
  const begun = performance.now();
  for (let pause = FIRST_WAIT_MS; ; pause = Math.min(pause * GROWTH, LONGEST_WAIT_MS)) {
    const passed = performance.now() - begun;
    try {
      if (passed > MOST_MS) return [];
      if (!isRunning(pid, file)) {
        if (passed > MOST_EXEC_MS) return [];
      } else {
        using view = new ProcessView(pid);
        if (isStarted(view)) {
          const builds = new Set(buildIdsIn(pid, view.mappings, new Map()));
          return livepatches.filter(({ objects }) => objects.some(({ record }) => builds.has(record.buildId)));
        }
      }
    } catch (error) {
      if (isGone(error)) return [];
      throw error;
    }
    await wait(pause);
  }
}

/** Whether the exec has come through. */
function isRunning(pid: number, { dev, ino }: FileIdentity): boolean {
  const running = statSync(`/proc/${pid}/exe`);
  return running.dev === dev && running.ino === ino;
}

function isGone(error: unknown): boolean {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (error instanceof SutureError) return ["TARGET_GONE", "PTRACE_DENIED", "MEMORY_UNREADABLE"].includes(code);
  return ["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(code);
}
