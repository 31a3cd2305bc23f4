/** What is installed, over reboots of a real Debian system, one of which a livepatch dies of. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { newestKernel } from "../fixtures/newest-kernel.ts";
import { shown } from "../fixtures/shown.ts";
import { buildEdits, type Edit } from "../kernel/source-diffs.ts";
import { answeringService } from "./answering-service.ts";
import { resumed } from "./frozen-machine.ts";
import type { Machine } from "./machine.ts";

const FIX: readonly Edit[] = [
  [
    "fs/proc/cmdline.c",
    "seq_puts(m, saved_command_line);",
    'seq_puts(m, saved_command_line);\n\tseq_puts(m, " is=live");',
  ],
];
/** Panics before any of its functions is patched. */
const DEADLY: readonly Edit[] = [
  ["fs/proc/version.c", "seq_printf(m, linux_proc_banner,", 'seq_puts(m, "");\n\tseq_printf(m, linux_proc_banner,'],
  ["fs/proc/version.c", "#include <linux/fs.h>", "#include <linux/fs.h>\n#include <suture/livepatch.h>"],
  [
    "fs/proc/version.c",
    "",
    'static int die(struct klp_object *object)\n{\n\tpanic("as it was asked for");\n}\nSUTURE_PRE_PATCH(die);',
  ],
];

let directory: TemporaryDirectory;
let service: TemporaryDirectory;
let machine: Machine;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const kernel = await newestKernel("6.1");
  const files: Record<string, string> = {};
  for (const [name, edits] of Object.entries({ fix: FIX, deadly: DEADLY })) {
    const built = await buildEdits(kernel, directory.path, name, edits);
    expect(built).toMatchObject({ kind: "built" });
    files[`${name}.ko`] = join(directory.path, `${name}.ko`);
  }
  service = await temporaryDirectory();
  const { faulty, fixed, livepatch } = await answeringService(service.path);
  const place = join(directory.path, "machine");
  mkdirSync(place);
  machine = await resumed(inject("installed"), place);
  await machine.put("/root", { ...files, "faulty.deb": faulty, "fixed.deb": fixed, "answer.o": livepatch });
  await machine.told("apt-get install -q -y /root/faulty.deb");
  // What the daemon does not let in is no reason for it to look at who starts.
  await machine.told("echo 'require-signatures = no' > /etc/suture/suture.conf");
});

afterAll(async () => {
  await machine?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

/** Without what a restart changes of itself: numbers of processes. */
async function status() {
  const said = shown(await machine.told("suture status --json"));
  for (const each of said.live) each.pids = each.pids.length;
  return said;
}

/** What the service answers next. */
async function answer(): Promise<string> {
  return await machine.told(
    "rm -f /run/answering; while [ ! -e /run/answering ]; do sleep 0.1; done; cat /run/answering",
  );
}

test("what is installed is live again after a reboot, before the network, and status says what it said", async () => {
  expect(await answer()).toBe("2\n");
  await machine.told("suture load /root/fix.ko && suture load /root/answer.o --all");
  await machine.told("suture install /root/fix.ko /root/answer.o");
  expect(await machine.told("cat /proc/cmdline")).toContain("is=live");
  expect(await answer()).toBe("3\n");
  expect(await machine.told("journalctl --output cat SUTURE_PATCH=answer SUTURE_VERB=install")).toMatch(
    /^install answer/,
  );
  const before = await status();
  expect(before.installed).toMatchObject([
    { name: "fix", state: "live" },
    { name: "answer", state: "live" },
  ]);
  await machine.reboot();
  expect(await machine.starts()).toBe(1);
  expect(await machine.told("cat /proc/cmdline")).toContain("is=live");
  expect(await answer()).toBe("3\n");
  expect(await status()).toEqual(before);
  const order = await machine.told(
    "systemctl show --property ActiveEnterTimestampMonotonic --value suture-boot.service network-pre.target",
  );
  const [loaded, network] = order.split(/\n+/).map(Number) as [number, number];
  expect(loaded).toBeGreaterThan(0);
  expect(network).toBeGreaterThanOrEqual(loaded);
});

test("a service that was upgraded needs its livepatch no longer: status says so, and the daemon drops it", async () => {
  await machine.told("systemctl stop sutured && apt-get install -q -y /root/fixed.deb");
  expect(await answer()).toBe("3\n");
  expect((await status()).installed).toMatchObject([{ name: "fix" }, { name: "answer", state: "not-needed" }]);
  await machine.told("systemctl start sutured && systemctl restart answering");
  await machine.told(`until suture log | grep -q "another build runs now"; do sleep 1; done`);
  expect((await status()).installed).toMatchObject([{ name: "fix" }]);
});

test("one that panics at boot is left out after one crash, with no hand at the machine, and that is told", async () => {
  await machine.told("suture install /root/deadly.ko");
  const starts = await machine.starts();
  await machine.reboot();
  expect(await machine.starts()).toBe(starts + 2);
  expect(await machine.console()).toContain("Kernel panic - not syncing: as it was asked for");
  expect(await machine.told("cat /proc/cmdline")).toContain("is=live");
  expect(await machine.told("suture list")).not.toContain("deadly");
  expect(await machine.told("suture status")).toMatch(/deadly.*left out/);
  expect(await machine.told("suture log")).toMatch(/BOOT_DIED/);
  await machine.reboot();
  expect(await machine.starts()).toBe(starts + 3);
});
