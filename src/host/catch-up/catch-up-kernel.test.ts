import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { kernelObjection } from "./catch-up-kernel.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "suture-kernel-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const PF_KTHREAD = 0x20_0000;

function writeTask(tid: number, { flags, stack }: { readonly flags: number; readonly stack: readonly string[] }): void {
  const directory = join(root, `proc/${tid}/task/${tid}`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "comm"), "worker\n");
  writeFileSync(join(directory, "stat"), `${tid} (worker) S 2 0 0 0 -1 ${flags} 0\n`);
  writeFileSync(join(directory, "stack"), stack.map((frame) => `[<0>] ${frame}+0x1/0x9\n`).join(""));
}

function patching(...names: readonly string[]) {
  return { objects: [{ name: "vmlinux", funcs: names.map((name) => ({ name })) }] };
}

test("a function that a kernel thread stays in would keep the running kernel from switching", async () => {
  writeTask(3, { flags: PF_KTHREAD, stack: ["schedule", "turn", "kthread", "ret_from_fork"] });
  expect(await kernelObjection(patching("turn"), root)).toMatchObject({
    code: "TRANSITION_MAY_NOT_END",
    where: "turn",
    what: expect.stringContaining("worker (3) is inside turn at frame 1"),
  });
  expect(await kernelObjection(patching("other"), root)).toBeUndefined();
});

test("a program that sleeps in a function, and a thread of the kernel's that will come back, are no reason for good", async () => {
  writeTask(3, { flags: 0, stack: ["schedule", "turn", "do_syscall_64"] });
  writeTask(4, { flags: PF_KTHREAD, stack: ["schedule", "turn", "loop", "kthread", "ret_from_fork"] });
  expect(await kernelObjection(patching("turn"), root)).toBeUndefined();
});
