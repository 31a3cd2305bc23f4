/** Who may come to code that is about to be taken away: tasks, and stacks that are no task's. */
import type { CodeRange, Obstacle } from "../../core/machine.ts";
import { Unstoppable } from "../../core/unstoppable.ts";
import type { StrayStacks } from "../stack/suspended/stray-stacks.ts";
import type { StoppedProcess } from "./stopped-process.ts";

/** Empty where nobody is inside. Where a task does not stop, it is named. */
export function whoIsInside(
  pid: number,
  ranges: readonly CodeRange[],
  strays: StrayStacks,
  whileStopped: <T>(body: (stopped: StoppedProcess) => T) => T,
): readonly Obstacle[] {
  const stray = (): Obstacle[] => {
    const found = strays.in(ranges, "any");
    if (found === undefined) return [];
    return [
      { task: pid, why: `its address 0x${found.address.toString(16)} lies ${found.where}: a suspended coroutine?` },
    ];
  };
  const look = (): readonly Obstacle[] => {
    const exist = strays.exist(ranges);
    const found = whileStopped((stopped) => {
      const tasks = stopped.tasksIn(ranges);
      return tasks.length === 0 && exist ? stray() : tasks;
    });
    // That there are other stacks may be known only since that stop.
    if (strays.exist(ranges) !== exist) return look();
    return found.length === 0 && !exist ? stray() : found;
  };
  return orWhy(look, (why) => [why]);
}

/** What the body gives, or what is made of the reason that a task does not stop for it. */
export function orWhy<T>(body: () => T, instead: (why: Obstacle) => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof Unstoppable)) throw error;
    return instead({ task: error.task, why: error.message });
  }
}
