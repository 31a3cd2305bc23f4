/** Why a thread does not stop, as /proc tells. */
import { readFileSync } from "node:fs";
import { Unstoppable } from "../../core/unstoppable.ts";
import { statusField } from "../os/thread-list.ts";
import type { Tracee } from "./tracee.ts";

/** clone, vfork, clone3. */
const MAKES_CHILD = new Set([56, 58, 435]);

export function unstoppable({ pid, tid }: Tracee): Unstoppable {
  const where = `pid ${pid}, thread ${tid}`;
  const child = MAKES_CHILD.has(Number.parseInt(textOf(`/proc/${pid}/task/${tid}/syscall`), 10))
    ? Number(textOf(`/proc/${pid}/task/${tid}/children`).split(" ").at(0))
    : 0;
  if (child > 0) {
    const name = statusField(child, child, "Name") ?? "it";
    const what = `a thread waits for its child of vfork, ${name} (${child}), which runs in the same memory until it executes a program or ends`;
    return new Unstoppable(tid, what, { where, hint: `try again once process ${child} has` });
  }
  return new Unstoppable(tid, "a thread does not stop: it sleeps in the kernel and cannot be woken", {
    where,
    hint: "try again later; waiting for a disk or for a network file system does this",
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
