import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Holder } from "../target.ts";
import { readIfThere } from "./sysfs.ts";

/** A task's patch_state in /proc: 0 unpatched, 1 patched, -1 no transition. */
const STATE = { old: "0", new: "1" } as const;

/**
 * Tasks that are still in `universe`, by the patch_state and stack files of
 * /proc. Only root may read stacks. `root` is the root of the file system.
 */
export async function findHolders(root: string, universe: "old" | "new"): Promise<Holder[]> {
  const proc = join(root, "proc");
  const holders: Holder[] = [];
  for (const pid of await numbersIn(proc)) {
    for (const tid of await numbersIn(join(proc, pid, "task"))) {
      const task = join(proc, pid, "task", tid);
      if ((await readIfThere(join(task, "patch_state")))?.trim() !== STATE[universe]) continue;
      holders.push({
        pid: Number(pid),
        tid: Number(tid),
        name: (await readIfThere(join(task, "comm")))?.trim() ?? "",
        universe,
        stack: framesOf(await readFile(join(task, "stack"), "utf8").catch(() => "")),
      });
    }
  }
  return holders;
}

async function numbersIn(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(() => [])).filter((name) => /^\d+$/.test(name));
}

/** Lines are `[<0>] function+0x12/0x34`. */
function framesOf(stack: string): string[] {
  const lines = stack.split("\n").map((line) => line.replace(/^\[<[0-9a-f]+>\] /, "").trim());
  return lines.filter((line) => line !== "");
}
