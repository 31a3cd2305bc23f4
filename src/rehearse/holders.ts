/** Which tasks hold a transition up, from what the guest's `holders` prints of each: `holder TID NAME: FRAME FRAME ...`. */

const MOST_TASKS = 4;
/** Of a stack without a patched function. */
const MOST_FRAMES = 4;

/**
 * One sentence; undefined where no task is told of.
 * @param patched names of the functions that the livepatch patches
 */
export function whyTransitionStays(output: string, patched: ReadonlySet<string>): string | undefined {
  const lines = [...output.matchAll(/^holder (\d+) (.*?): (.*)$/gm)];
  if (lines.length === 0) return undefined;
  const tasks = lines.map(([, tid = "", name = "", stack = ""]) => `${name} (${tid}) ${whereIn(stack, patched)}`);
  const more = tasks.length > MOST_TASKS ? `; and ${tasks.length - MOST_TASKS} more tasks` : "";
  return `the transition does not end: ${tasks.slice(0, MOST_TASKS).join("; ")}${more}`;
}

/** The outermost patched function is the one that the task has to leave. */
function whereIn(stack: string, patched: ReadonlySet<string>): string {
  const frames = [...stack.matchAll(/([\w.]+)\+0x[0-9a-f]+\/0x[0-9a-f]+/g)].map(([, name = ""]) => name);
  const outermost = frames.findLast((name) => patched.has(name));
  if (outermost !== undefined) return `is inside ${outermost}`;
  if (frames.length === 0) return "has a stack that is not shown";
  // /proc/PID/stack leaves out what lies in .sched.text.
  if (patched.size > 0)
    return `is most likely inside ${[...patched].slice(0, MOST_FRAMES).join(" or ")}, called by ${frames[0]}: functions of the scheduler are shown in no stack`;
  return `is in ${frames.slice(0, MOST_FRAMES).join(" < ")}`;
}
