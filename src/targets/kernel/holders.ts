/** The tasks that hold a transition of the kernel up, and why, by the patch_state, stack and stat files of /proc. */
import { join } from "node:path";
import type { HolderRecord } from "../verb-result.ts";
import { insideOf, type PatchedName, reasonOf } from "./reasons.ts";
import { readIfThere, type SysfsPatch } from "./sysfs.ts";
import { childrenOf, type KernelTask, readTask, type TaskFiles, taskDirectories, taskOf } from "./tasks.ts";

/** A task that has not switched yet: by now it may have, or have ended. */
export interface KernelHolder extends HolderRecord, KernelTask {
  readonly help: string;
}

/** How far a transition is. */
export interface Headcount {
  /** All tasks. */
  readonly tasks: number;
  readonly holders: readonly KernelHolder[];
}

/** What `patch_state` reads of the tasks that have not switched yet. */
export function stateBehind({ enabled }: Pick<SysfsPatch, "enabled">): string {
  // 0 unpatched, 1 patched, -1 no transition.
  return enabled ? "0" : "1";
}

/** The functions that a livepatch patches. */
function patchedNames({ objects }: Pick<SysfsPatch, "objects">): PatchedName[] {
  return objects.flatMap(({ name: object, funcs }) => funcs.map(({ name }) => ({ object, name })));
}

/** Why a task that is behind has not switched. */
export function holderOf(files: TaskFiles, patch: Pick<SysfsPatch, "objects">): KernelHolder {
  const task = taskOf(files);
  const patched = patchedNames(patch);
  const { why, help } = reasonOf(task, patched);
  return { ...task, why, help, inside: insideOf(task.stack, patched) };
}

/** Tasks that are not yet in the universe that the patch's transition goes to. */
export async function findHolders(root: string, patch: SysfsPatch): Promise<readonly KernelHolder[]> {
  return (await headcount(root, patch)).holders;
}

/** The same, and how many tasks there are. Only root may read stacks. `root` is the root of the file system. */
export async function headcount(root: string, patch: SysfsPatch): Promise<Headcount> {
  const patched = patchedNames(patch);
  const behind = stateBehind(patch);
  const holders: KernelHolder[] = [];
  const directories = await taskDirectories(root);
  for (const directory of directories) {
    if ((await readIfThere(join(directory.path, "patch_state")))?.trim() !== behind) continue;
    const task = await readTask(directory);
    const { why, help } = reasonOf(task, patched, await childrenOf(directory));
    holders.push({ ...task, why, help, inside: insideOf(task.stack, patched) });
  }
  return { tasks: directories.length, holders };
}

/** What can be done about tasks that did not switch in time. */
export function adviceFor(holders: readonly KernelHolder[], patch: string): string {
  if (holders.some(({ isKernelThread }) => isKernelThread))
    return "a kernel thread switches when it leaves the function: give more --timeout; where it never does, only a reboot brings the fix";
  if (holders.some(({ doing }) => doing === "stopped")) return "let the stopped task go on (SIGCONT), and try again";
  if (holders.some(({ doing }) => doing === "uninterruptible"))
    return "give more --timeout: such a task goes on when what it waits for has come";
  return `give more --timeout, or load it with --keep and then: suture signal ${patch}`;
}
