/** Livepatches that do harm, in a real Debian system: it ends up running without them, and says why. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { run } from "../../src/lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { newestKernel } from "../fixtures/newest-kernel.ts";
import { shown } from "../fixtures/shown.ts";
import { buildEdits, type Edit } from "../kernel/source-diffs.ts";
import { resumed } from "./frozen-machine.ts";
import type { Machine } from "./machine.ts";

const SHOW = "seq_printf(m, linux_proc_banner,";
const EDITS: Readonly<Record<string, readonly Edit[]>> = {
  /** Whoever reads /proc/version dies of it. */
  oops: [["fs/proc/version.c", SHOW, `if (m)\n\t\t*(volatile char *)8 = 0;\n\t${SHOW}`]],
  /** Nobody can read it. */
  wrong: [["fs/proc/version.c", SHOW, `if (m)\n\t\treturn -EIO;\n\t${SHOW}`]],
  /** Does no harm. */
  marked: [["fs/proc/version.c", SHOW, `seq_puts(m, "marked: ");\n\t${SHOW}`]],
  /** A parent sits in it until its child lets go of its memory. */
  clone: [
    [
      "kernel/fork.c",
      "	struct task_struct *p;\n	int trace = 0;",
      '	struct task_struct *p;\n	int trace = 0;\n	asm volatile("nop");',
    ],
  ],
};
const SITTER = "#include <unistd.h>\nint main(void) { if (vfork() == 0) for (;;) pause(); return 0; }\n";

let directory: TemporaryDirectory;
let machine: Machine;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const kernel = await newestKernel("6.1");
  const files: Record<string, string> = {};
  for (const [name, edits] of Object.entries(EDITS)) {
    expect(await buildEdits(kernel, directory.path, name, edits, true)).toMatchObject({ kind: "built" });
    files[`${name}.ko`] = join(directory.path, `${name}.ko`);
  }
  const sitter = join(directory.path, "sitter");
  writeFileSync(`${sitter}.c`, SITTER);
  await run("gcc", ["-static", "-o", sitter, `${sitter}.c`], { check: true });
  const place = join(directory.path, "machine");
  mkdirSync(place);
  machine = await resumed(inject("installed"), place);
  await machine.put("/root", { ...files, sitter });
  // From the first installation on there is a history.
  await machine.told("suture install /root/wrong.ko && suture uninstall wrong");
});

afterAll(async () => {
  await machine?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

/** What became of a load that does not end well. */
async function load(name: string, options: string, exit = 2) {
  const { status, output } = await machine.run(`suture load /root/${name}.ko ${options} --json -q 2>/dev/null`);
  expect(status, output).toBe(exit);
  const [{ outcome, problems, holders }] = shown(output).results;
  const [{ code, what }] = problems;
  return { outcome, code, what, holders, count: problems.length };
}

/** The kernel is as it was. */
async function isGone(name: string): Promise<void> {
  expect(await machine.told("cat /proc/version")).toMatch(/^Linux version/);
  expect(await machine.told("ls /sys/kernel/livepatch")).toBe("");
  expect(await machine.told("cut -d ' ' -f 1 /proc/modules")).not.toMatch(new RegExp(`^${name}$`, "m"));
}

test("one that oopses when its new function runs is taken away, with what the kernel said", async () => {
  await machine.told("(while sleep 0.2; do cat /proc/version; done) > /dev/null 2>&1 & echo $! > /root/reader");
  const seen = await load("oops", "--supervise 3600");
  expect(seen).toMatchObject({
    outcome: "reversed",
    code: "HARM",
    what: expect.stringMatching(/^oops was taken away again: the kernel has printed: BUG: kernel NULL pointer/),
    count: 1,
  });
  await machine.told("kill $(cat /root/reader)");
  await isGone("oops");
  expect(await machine.told("suture log")).toMatch(/revert +oops .*reversed\n +HARM/);
  expect(await machine.told("suture status")).toMatch(/oops was taken away again: the kernel has printed: BUG/);
});

test("one that makes the health command fail is taken away, and what the command said is told", async () => {
  const seen = await load("wrong", "--supervise 3600 --health 'cat /proc/version'");
  expect(seen).toMatchObject({
    outcome: "reversed",
    code: "HARM",
    what: "wrong was taken away again: the health command says no: it ended with status 1",
    count: 1,
  });
  await isGone("wrong");
  expect(await machine.told("suture status")).toMatch(/wrong was taken away again: the health command says no/);
});

test("one that it had replaced is in force again: by its file where it is installed, else it is told", async () => {
  const isMarked = async () => (await machine.told("cat /proc/version")).startsWith("marked: ");
  const harmed = async (exit: number) => await load("wrong", "--supervise 3600 --health 'cat /proc/version'", exit);
  await machine.told("suture load /root/marked.ko");
  expect(await harmed(1)).toMatchObject({ outcome: "failed", code: "HARM", count: 2 });
  expect(await isMarked()).toBe(false);
  await machine.told("suture install /root/marked.ko && suture load --all");
  expect(await isMarked()).toBe(true);
  expect(await harmed(2)).toMatchObject({ outcome: "reversed", code: "HARM", count: 1 });
  expect(await isMarked()).toBe(true);
  expect(await machine.told("suture log")).toMatch(/load +marked .*done/);
  await machine.told("suture unload marked && suture uninstall marked");
  await isGone("wrong");
});

test("one whose transition cannot end is turned back, and who holds it up is named", async () => {
  await machine.told("/root/sitter > /dev/null 2>&1 & until grep -q kernel_clone /proc/$!/stack; do sleep 0.1; done");
  const seen = await load("clone", "--timeout 5 --supervise 3600");
  expect(seen).toMatchObject({
    outcome: "reversed",
    code: "DEADLINE",
    holders: expect.arrayContaining([
      expect.objectContaining({ name: "sitter", why: expect.stringMatching(/^inside kernel_clone.*vfork/) }),
    ]),
    count: 1,
  });
  await isGone("clone");
  expect(await machine.told("suture log")).toMatch(/clone .*reversed\n +DEADLINE/);
});

test("an installed one of which the kernel complains soon after a boot has loaded it is taken away, and left out", async () => {
  await machine.told("suture install /root/oops.ko && systemctl start suture-boot.service");
  expect(await machine.told("cat /sys/kernel/livepatch/oops/enabled")).toBe("1\n");
  expect((await machine.run("cat /proc/version")).status).not.toBe(0);
  await machine.told("systemctl start suture-lived.service");
  await isGone("oops");
  expect(await machine.told("suture status")).toMatch(
    /oops .*left out .*\n +the kernel has printed, out of its code: BUG/,
  );
  await machine.told("systemctl restart suture-boot.service");
  await isGone("oops");
});
