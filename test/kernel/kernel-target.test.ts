/** suture on a running kernel: its target's verbs and a command, in a guest, by a Node brought along. */

import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kernelPatchJson } from "../../src/cli/kernel-report.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { Vm } from "../../src/rehearse/vm.ts";
import type { KernelPatch } from "../../src/targets/kernel/look.ts";
import type { VerbResult } from "../../src/targets/verb-result.ts";
import { wouldShow } from "../fixtures/shown.ts";
import { sutureFiles } from "../guest-programs.ts";
import { makeLivepatches } from "./livepatch-fixtures.ts";
import { stockKernel } from "./stock-kernel.ts";

const PROGRAM = `
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { KernelTarget } from "/app/src/targets/kernel/kernel-target.ts";
import { kernelState } from "/app/src/targets/kernel/look.ts";
import { readLivepatchFile } from "/app/src/patch/livepatch-file.ts";
import { judgeBoots } from "/app/src/host/boot/judge.ts";
import { loadInstalled } from "/app/src/host/boot/load-installed.ts";
import { runningSystem } from "/app/src/host/boot/running-system.ts";
import { hostPaths } from "/app/src/host/paths.ts";
import { machineState } from "/app/src/host/status/machine.ts";
import { install } from "/app/src/host/store/install.ts";
import { HostStore } from "/app/src/host/store/store.ts";
const file = async (name) => await readLivepatchFile("/" + name + ".ko");
const target = new KernelTarget();
const hasty = new KernelTarget({ timeoutMs: 1 });
const keeping = new KernelTarget({ timeoutMs: 1, onDeadline: "keep" });
const said = {};
said.before = (await kernelState()).patches;
said.fit = await target.preflight(await file("good"));
said.loaded = await target.load(await file("good"));
said.cmdline = readFileSync("/proc/cmdline", "utf8");
said.state = await kernelState();
said.again = await target.load(await file("good"));
said.enabled = await target.enable("good");
said.unloaded = await target.unload("good");
said.after = (await kernelState()).patches;
said.gone = await target.disable("good");
said.reversed = await hasty.load(await file("never_done"));
said.afterReversed = (await kernelState()).patches;
said.pending = await keeping.load(await file("never_done"));
said.other = await target.load(await file("good"));
said.stuck = (await kernelState()).patches;
said.forced = await target.force("never_done");
said.afterForce = (await kernelState()).patches;
const sleeper = spawn("sleep", ["1000000"]);
while (!readFileSync("/proc/" + sleeper.pid + "/stack", "utf8").includes("hrtimer_nanosleep"));
said.sleeper = sleeper.pid;
said.asleep = await keeping.load(await file("asleep"));
said.woken = await target.signal("asleep");
said.afterWoken = (await kernelState()).patches.find(({ name }) => name === "asleep");
said.sleepsOn = sleeper.exitCode === null && sleeper.signalCode === null;
sleeper.kill("SIGKILL");
const given = { path: "/good.ko", data: readFileSync("/good.ko"), signature: undefined };
const paths = hostPaths({ SUTURE_ROOT: "/host" });
said.installed = (await HostStore.change(paths, (store) => install(store, given, { requireSignatures: false, keys: [] }))).outcome;
const boot = async (id) => {
  using store = HostStore.open(paths, id);
  const leftOut = judgeBoots(store, id).map(({ name }) => name);
  const loaded = await loadInstalled(store, await runningSystem(), { verb: "boot" });
  return { leftOut, states: loaded.map(({ state }) => state), trials: store.trials().map(({ phase }) => phase) };
};
said.boot = await boot("first");
said.bootAgain = await boot("first");
said.machine = (await machineState(paths)).installed[0].state;
said.unloadedInstalled = (await target.unload("good")).outcome;
said.bootAfterDeath = await boot("second");
said.machineAfter = (await machineState(paths)).installed[0].state;
said.foreign = await target.load({ ...(await file("good")), name: "damaged", data: Buffer.from("not a module") });
console.log(JSON.stringify(said));
process.exit(0);
`;

let directory: TemporaryDirectory;
let vm: Vm;
let name: string;
let said: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  const kernel = await stockKernel("6.1");
  name = `Linux ${kernel.release}`;
  directory = await temporaryDirectory();
  const made = await makeLivepatches(kernel, join(directory.path, "livepatches"), {
    good: { name: "cmdline_proc_show", body: "return 0;" },
    // The thread that makes kernel threads never leaves its function.
    never_done: { name: "kthreadd", prototype: "static int replacement(void *unused)", body: "return 0;" },
    asleep: { name: "hrtimer_nanosleep", prototype: "static long replacement(void)", body: "return 0;" },
  });
  vm = await Vm.start({
    image: kernel.image,
    files: [
      ...(await sutureFiles()),
      // Busybox's may not be there, or know other options.
      { kind: "copy", path: "/util-linux/flock", from: "/usr/bin/flock", mode: 0o755 },
      ...(["good", "never_done", "asleep"] as const).map((each) => ({
        kind: "copy" as const,
        path: `/${each}.ko`,
        from: made[each],
      })),
      { kind: "data", path: "/app/program.ts", data: PROGRAM },
    ],
    log: join(directory.path, "guest.log"),
  });
  const job = await vm.run("PATH=/util-linux:$PATH node --no-warnings /app/program.ts", 3600);
  if (job.status !== 0) throw new Error(job.output);
  said = JSON.parse(job.output) as Record<string, unknown>;
  for (const each of Object.values(said)) {
    if (typeof each !== "object" || each === null) continue;
    // A verb's result, what is in the kernel, or its livepatches alone.
    if ("outcome" in each) wouldShow("load", { patch: "good", results: [each as VerbResult], hidden: 0 });
    if (!Array.isArray(each)) continue;
    const kernel = { name, patches: (each as KernelPatch[]).map(kernelPatchJson) };
    wouldShow("list", { kernel, processes: [], newer: [], damaged: [], hidden: 0 });
  }
});

afterAll(async () => {
  await vm?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

test("a livepatch goes in, is seen with its objects and funcs, and goes out", () => {
  expect(said["before"]).toEqual([]);
  expect(said["fit"]).toMatchObject({ name, outcome: "done", problems: [] });
  expect(said["loaded"]).toMatchObject({ name, outcome: "done", problems: [], notes: [], holders: [] });
  expect(said["cmdline"]).toBe("");
  expect(said["state"]).toMatchObject({
    name,
    patches: [
      {
        name: "good",
        state: "enabled",
        stays: false,
        objects: [{ name: "vmlinux", patched: true, funcs: [{ name: "cmdline_proc_show", sympos: 1 }] }],
      },
    ],
  });
  expect(said["enabled"]).toMatchObject({ outcome: "unchanged" });
  expect(said["unloaded"]).toMatchObject({ outcome: "done" });
  expect(said["after"]).toEqual([]);
});

test("what is not as it was thought is refused", () => {
  expect(said["again"]).toMatchObject({ outcome: "refused", problems: [{ code: "ALREADY_LOADED" }] });
  expect(said["gone"]).toMatchObject({ outcome: "refused", problems: [{ code: "NO_SUCH_PATCH" }] });
  expect(said["other"]).toMatchObject({ outcome: "refused", problems: [{ code: "TRANSITION_IN_PROGRESS" }] });
  expect(said["foreign"]).toMatchObject({
    outcome: "refused",
    problems: [{ code: "LOAD_FAILED", what: expect.stringMatching(/made for another kernel/) }],
  });
});

test("a transition that does not end is turned back with the task that held it up; kept, it can be forced", () => {
  const holders = [{ name: "kthreadd", tid: 2, why: expect.stringMatching(/^inside kthreadd at frame \d; asleep in/) }];
  expect(said["reversed"]).toMatchObject({
    outcome: "reversed",
    problems: [{ code: "DEADLINE", hint: expect.stringMatching(/kernel thread/) }],
    holders: expect.arrayContaining([expect.objectContaining(holders[0] as object)]),
  });
  expect(said["afterReversed"]).toEqual([]);
  expect(said["pending"]).toMatchObject({ outcome: "pending", problems: [{ code: "TRANSITION_PENDING" }] });
  expect(said["stuck"]).toMatchObject([{ name: "never_done", state: "enabling" }]);
  expect(said["forced"]).toMatchObject({ outcome: "done" });
  expect(said["afterForce"]).toMatchObject([{ name: "never_done", state: "enabled" }]);
});

test("a task that sleeps in a patched function switches when it is woken, and sleeps on", () => {
  expect(said["asleep"]).toMatchObject({
    outcome: "pending",
    holders: expect.arrayContaining([
      expect.objectContaining({
        tid: said["sleeper"],
        why: expect.stringMatching(/^inside hrtimer_nanosleep at frame \d+; asleep in/),
      }),
    ]),
  });
  expect(said["woken"]).toMatchObject({ outcome: "done", notes: [expect.stringMatching(/^woken: sleep/)] });
  expect(said["afterWoken"]).toMatchObject({ state: "enabled" });
  expect(said["sleepsOn"]).toBe(true);
});

test("the command line speaks to the kernel", async () => {
  const { status, output } = await vm.run("HOME=/tmp suture list -q", 3600);
  expect({ status, output }).toEqual({
    status: 0,
    output: `kernel  ${name}  never_done  enabled\nkernel  ${name}  asleep      enabled\n`,
  });
});

test("what is installed is loaded at boot and told as live; after a boot that died with it, it is left out", () => {
  expect(said["installed"]).toBe("done");
  expect(said["boot"]).toEqual({ leftOut: [], states: ["loaded"], trials: ["loaded"] });
  expect(said["bootAgain"]).toEqual({ leftOut: [], states: ["unchanged"], trials: ["loaded"] });
  expect(said["machine"]).toMatchObject({ kind: "live", isAtBoot: true });
  expect(said["unloadedInstalled"]).toBe("done");
  expect(said["bootAfterDeath"]).toEqual({ leftOut: ["good"], states: ["left-out"], trials: [] });
  expect(said["machineAfter"]).toMatchObject({ kind: "left-out", isAtBoot: false });
});
