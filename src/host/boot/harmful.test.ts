import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseLogLine } from "../../rehearse/kernel-log.ts";
import { install } from "../store/install.ts";
import { ANYTHING, livepatchModule } from "../store/livepatch-module.fixture.ts";
import { HostStore } from "../store/store.ts";
import { faultOf, takeHarmfulAway } from "./harmful.ts";

const lines = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => parseLogLine(`[    1.000000] ${line}`));
const LOADED = "livepatch: enabling patch 'fix'";
const oops = (where: string): string => `
BUG: kernel NULL pointer dereference, address: 0000000000000008
#PF: supervisor write access in kernel mode
Oops: 0002 [#1] PREEMPT SMP NOPTI
CPU: 0 PID: 812 Comm: cat Tainted: G           O  K    6.1.0-57-cloud-amd64 #1  Debian 6.1.176-1
RIP: 0010:${where}
Code: 0f 1f 44 00 00
Call Trace:
 <TASK>
 seq_read_iter+0x124/0x4b0
 proc_reg_read_iter+0x4f/0x80
 </TASK>
Modules linked in: fix(OEK) virtio_blk
---[ end trace 0000000000000000 ]---`;
const OWN = oops("version_proc_show+0x1c/0x40 [fix]");
const OTHERS = oops("version_proc_show+0x1c/0x40 [other]");

test.each([
  ["in its own code", `${LOADED}${OWN}`, true],
  ["below its own code", `${LOADED}${OTHERS.replace(" seq_read_iter+0x124/0x4b0", " shown+0x1/0x2 [fix]")}`, true],
  ["in other code, while its module is loaded", `${LOADED}${OTHERS}`, false],
  ["before it was loaded", `${OWN}\n${LOADED}`, false],
  ["before it was loaded again", `${LOADED}${OWN}\n${LOADED}`, false],
  ["when it was not loaded by name", OWN, false],
  ["when another one was loaded", `livepatch: enabling patch 'fix2'${OWN}`, false],
])("a fault %s", (_, log, isBlamed) => {
  const fault = faultOf("fix", lines(log));
  expect(fault).toBe(isBlamed ? "BUG: kernel NULL pointer dereference, address: 0000000000000008" : undefined);
});

test("what the kernel complains of is left out and taken away, and the boot proves nothing for it", async () => {
  const state = mkdtempSync(join(tmpdir(), "suture-harmful-"));
  try {
    for (const name of ["fix", "good"])
      await HostStore.change({ state }, (store) => install(store, livepatchModule(name), ANYTHING));
    using store = HostStore.open({ state }, "boot");
    if (store === undefined) throw new Error("nothing is installed");
    const event = { verb: "boot", target: "Linux", outcome: "done" } as const;
    for (const each of store.installed()) store.trialLoaded(store.beginTrial(each), { ...event, patch: each.name });
    const unloaded: string[] = [];
    const unload = async (name: string) => {
      unloaded.push(name);
      return { name: "Linux", outcome: "done", problems: [], notes: [], holders: [] } as const;
    };
    const log = lines(`${LOADED}\nlivepatch: enabling patch 'good'${OWN}`);
    expect(await takeHarmfulAway(store, "another boot", unload, log)).toEqual([]);
    expect(await takeHarmfulAway(store, "boot", unload, log)).toMatchObject([{ name: "fix" }]);
    store.endTrials(true);
    expect(unloaded).toEqual(["fix"]);
    expect(store.installed()).toMatchObject([
      { name: "fix", lived: undefined, leftOut: { why: expect.stringMatching(/out of its code: BUG/) } },
      { name: "good", lived: "boot", leftOut: undefined },
    ]);
    expect(store.history().slice(-2)).toMatchObject([
      { verb: "leave-out", patch: "fix", outcome: "done", code: "HARM" },
      { verb: "revert", patch: "fix", outcome: "reversed", code: "HARM" },
    ]);
    expect(await takeHarmfulAway(store, "boot", unload, log)).toEqual([]);
  } finally {
    rmSync(state, { recursive: true });
  }
});
