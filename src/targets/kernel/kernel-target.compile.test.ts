import { join } from "node:path";
import { expect, test } from "vitest";
import { buildIdNote, MadeUpKernel } from "../../../test/made-up-kernel.ts";
import { run } from "../../lib/run.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { type LivepatchFile, readLivepatchFile } from "../../patch/livepatch-file.ts";
import { kernelBuildId } from "./identity.ts";
import { KernelTarget, type KernelTargetOptions } from "./kernel-target.ts";
import { kernelState } from "./look.ts";

const BUILD_ID = "00112233445566778899aabbccddeeff00112233";

/** A kernel's files, in which the patch `one` is enabled and `two` on its way. */
const FILES: Readonly<Record<string, string | Buffer>> = {
  "proc/1/task/1/patch_state": "1\n",
  "proc/1/task/1/comm": "init\n",
  "proc/20/task/20/patch_state": "1\n",
  "proc/20/task/21/patch_state": "0\n",
  "proc/20/task/21/comm": "a worker\n",
  "proc/20/task/21/stat": "21 (a worker) S 1 20 20 0 -1 4194304 0\n",
  "proc/20/task/21/stack": "[<0>] schedule+0x5e/0xd0\n[<0>] old_function+0x12/0x34\n[<0>] ret_from_fork+0x22/0x30\n",
  "proc/2/task/2/patch_state": "0\n",
  "proc/2/task/2/comm": "kworker/0:1\n",
  "proc/2/task/2/stat": "2 (kworker/0:1) R 0 0 0 0 -1 2129984 0\n",
  "proc/version": "not a task\n",
  "proc/modules":
    "two 20480 1 - Live 0x0000000000000000 (OEK)\nold 8192 0 - Live 0x0 (OEK)\nkept 4096 1 - Live 0x0 (K)\none 16384 1 - Live 0x0 (OEK)\next4 999 2 mbcache, Live 0x0\n",
  "sys/kernel/notes": buildIdNote(BUILD_ID),
  "sys/kernel/livepatch/one/enabled": "1\n",
  "sys/kernel/livepatch/one/transition": "0\n",
  "sys/kernel/livepatch/one/vmlinux/patched": "1\n",
  "sys/kernel/livepatch/one/vmlinux/cmdline_proc_show,1/.": "",
  "sys/kernel/livepatch/one/kvm_intel/patched": "0\n",
  "sys/kernel/livepatch/one/kvm_intel/vmx_exit,2/.": "",
  "sys/kernel/livepatch/two/enabled": "1\n",
  "sys/kernel/livepatch/two/transition": "1\n",
  "sys/kernel/livepatch/two/vmlinux/old_function,0/.": "",
};

function targetOf(kernel: MadeUpKernel, options: KernelTargetOptions = {}): KernelTarget {
  return new KernelTarget({ root: kernel.root, loader: kernel.loader, timeoutMs: 60_000, ...options });
}

async function livepatch(name: string, release = "6.1.0-1-amd64"): Promise<LivepatchFile> {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, `${name}.ko`);
  const pairs = ["livepatch=Y", `name=${name}`, `vermagic=${release} SMP`].map((pair) => `.asciz "${pair}"\n`);
  await run("as", ["-o", path, "-"], { input: `.section .modinfo,"a"\n${pairs.join("")}`, check: true });
  return await readLivepatchFile(path);
}

const states = async (kernel: MadeUpKernel): Promise<string[]> =>
  (await kernelState(kernel.root)).patches.map(({ name, state }) => `${name} ${state}`);

const codesOf = ({ problems }: { readonly problems: readonly { readonly code: string }[] }): string[] =>
  problems.map(({ code }) => code);

test("the state shows patches in the order they came, with objects, funcs, and the tasks that hold a transition up", async () => {
  using kernel = new MadeUpKernel();
  kernel.stuck.set("two", "both");
  kernel.write(FILES);
  expect(await kernelBuildId(kernel.root)).toBe(BUILD_ID);
  const { name, patches } = await kernelState(kernel.root);
  expect(name).toBe("Linux 6.1.0-1-amd64");
  expect(patches.map((patch) => [patch.name, patch.state, patch.stays, patch.size])).toEqual([
    ["one", "enabled", false, 16384],
    ["kept", "disabled", true, 4096],
    ["old", "disabled", false, 8192],
    ["two", "enabling", false, 20480],
  ]);
  expect(patches[0]?.objects).toEqual(
    expect.arrayContaining([
      { name: "vmlinux", patched: true, funcs: [{ name: "cmdline_proc_show", sympos: 1 }] },
      { name: "kvm_intel", patched: false, funcs: [{ name: "vmx_exit", sympos: 2 }] },
    ]),
  );
  expect(patches[3]?.holders.toSorted((a, b) => b.tid - a.tid)).toMatchObject([
    { tid: 21, name: "a worker", why: "inside old_function at frame 1; asleep in schedule", isKernelThread: false },
    { tid: 2, name: "kworker/0:1", why: "a kernel thread that does not sleep", isKernelThread: true },
  ]);
});

test("a kernel with no livepatch has none", async () => {
  using kernel = new MadeUpKernel();
  expect((await kernelState(kernel.root)).patches).toEqual([]);
});

test("a livepatch is loaded, disabled, loaded again in place of the disabled one, and unloaded while enabled", async () => {
  using kernel = new MadeUpKernel();
  const target = targetOf(kernel);
  const file = await livepatch("fix");
  expect(await target.preflight(file)).toMatchObject({ outcome: "done", problems: [] });
  expect(await target.load(file)).toMatchObject({ name: "Linux 6.1.0-1-amd64", outcome: "done", problems: [] });
  expect(await states(kernel)).toEqual(["fix enabled"]);
  expect(codesOf(await target.load(file))).toEqual(["ALREADY_LOADED"]);
  expect(await target.enable("fix")).toMatchObject({ outcome: "unchanged" });
  expect(await target.disable("fix")).toMatchObject({ outcome: "done" });
  expect(await states(kernel)).toEqual(["fix disabled"]);
  expect(await target.disable("fix")).toMatchObject({ outcome: "unchanged" });
  expect(codesOf(await target.enable("fix"))).toEqual(["DISABLED_FOR_GOOD"]);
  expect(await target.load(file)).toMatchObject({ outcome: "done" });
  expect(await target.unload("fix")).toMatchObject({ outcome: "done" });
  expect(await states(kernel)).toEqual([]);
});

test("a livepatch that holds itself stays, as a result, and its name is taken from then on", async () => {
  using kernel = new MadeUpKernel();
  kernel.held.add("fix");
  const target = targetOf(kernel);
  const file = await livepatch("fix");
  await target.load(file);
  expect(await target.unload("fix")).toMatchObject({ outcome: "done", kept: 16384 });
  expect((await kernelState(kernel.root)).patches).toMatchObject([{ name: "fix", state: "disabled", stays: true }]);
  expect(codesOf(await target.load(file))).toEqual(["ALREADY_LOADED"]);
});

test("what a cumulative livepatch replaces is unloaded", async () => {
  using kernel = new MadeUpKernel();
  const target = targetOf(kernel);
  await target.load(await livepatch("first"));
  kernel.replaces.set("second", ["first"]);
  expect(await target.load(await livepatch("second"))).toMatchObject({
    outcome: "done",
    notes: ["it takes the place of first, which is unloaded now"],
  });
  expect(await states(kernel)).toEqual(["second enabled"]);
});

test("a transition that does not end is turned back, and the livepatch is out again", async () => {
  using kernel = new MadeUpKernel(FILES);
  kernel.stuck.set("two", "both");
  const target = targetOf(kernel, { timeoutMs: 0 });
  expect(codesOf(await target.load(await livepatch("fix")))).toEqual(["TRANSITION_IN_PROGRESS"]);
  using quiet = new MadeUpKernel();
  quiet.stuck.set("fix", "enabling");
  const hasty = targetOf(quiet, { timeoutMs: 200 });
  expect(await hasty.load(await livepatch("fix"))).toMatchObject({
    outcome: "reversed",
    problems: [{ code: "DEADLINE" }],
  });
  expect(await states(quiet)).toEqual([]);
});

test("what arrives before it could be turned back is told as done, and what is turned back and stays is told", async () => {
  using kernel = new MadeUpKernel();
  for (const name of ["late", "kept"]) kernel.stuck.set(name, "enabling");
  kernel.unturnable.add("late");
  const target = targetOf(kernel, { timeoutMs: 200 });
  expect(await target.load(await livepatch("late"))).toMatchObject({ outcome: "done", problems: [] });
  expect(await states(kernel)).toEqual(["late enabled"]);
  kernel.held.add("kept");
  expect(await target.load(await livepatch("kept"))).toMatchObject({
    outcome: "reversed",
    notes: ["the module kept is disabled, and stays in memory"],
  });
});

test("a disabling that does not end is turned back to enabled", async () => {
  using kernel = new MadeUpKernel();
  const file = await livepatch("fix");
  await targetOf(kernel).load(file);
  kernel.stuck.set("fix", "disabling");
  const target = targetOf(kernel, { timeoutMs: 200 });
  expect(await target.unload("fix")).toMatchObject({ outcome: "reversed", problems: [{ code: "DEADLINE" }] });
  expect(await states(kernel)).toEqual(["fix enabled"]);
});

test("a transition is kept where that is asked for, goes on, and can be forced", async () => {
  using kernel = new MadeUpKernel();
  kernel.stuck.set("fix", "both");
  const target = targetOf(kernel, { timeoutMs: 100, onDeadline: "keep" });
  const file = await livepatch("fix");
  expect(await target.load(file)).toMatchObject({ outcome: "pending", problems: [{ code: "TRANSITION_PENDING" }] });
  expect(await states(kernel)).toEqual(["fix enabling"]);
  expect(await target.enable("fix")).toMatchObject({ outcome: "pending" });
  kernel.write({ "sys/kernel/livepatch/fix/force": "" });
  expect(await targetOf(kernel).force("fix")).toMatchObject({ outcome: "done", notes: [expect.stringMatching(/old/)] });
  expect(await states(kernel)).toEqual(["fix enabled"]);
  expect(codesOf(await target.force("fix"))).toEqual(["NO_TRANSITION"]);
});

test("an interrupted load is turned back", async () => {
  using kernel = new MadeUpKernel();
  kernel.stuck.set("fix", "enabling");
  const aborting = new AbortController();
  const target = targetOf(kernel, { signal: aborting.signal });
  const file = await livepatch("fix");
  const loading = target.load(file);
  aborting.abort();
  expect(await loading).toMatchObject({ outcome: "reversed", problems: [{ code: "INTERRUPTED" }] });
  expect(await states(kernel)).toEqual([]);
});

test("what the kernel says when it does not take a livepatch in is quoted and explained", async () => {
  using kernel = new MadeUpKernel();
  const loader = {
    ...kernel.loader,
    insert: async () => "insmod: ERROR: could not insert module fix.ko: Key was rejected by service",
  };
  const target = new KernelTarget({ root: kernel.root, loader });
  expect(await target.load(await livepatch("fix"))).toMatchObject({
    outcome: "refused",
    problems: [
      {
        code: "LOAD_FAILED",
        what: expect.stringMatching(/does not trust the key/),
        where: expect.stringMatching(/^insmod: ERROR: .*Key was rejected/),
      },
    ],
  });
});

test.each(["three", "../one", "one/../two", ""])("there is no patch %j", async (name) => {
  using kernel = new MadeUpKernel();
  const target = targetOf(kernel);
  for (const verb of ["enable", "disable", "unload", "force", "signal"] as const)
    expect(await target[verb](name)).toMatchObject({ outcome: "refused", problems: [{ code: "NO_SUCH_PATCH" }] });
});

test("preflight finds every reason why the kernel would not take a livepatch in", async () => {
  using kernel = new MadeUpKernel();
  const target = targetOf(kernel);
  const codes = async (file: LivepatchFile): Promise<string[]> => codesOf(await target.preflight(file));
  const fit = await livepatch("fit");
  expect(await codes(fit)).toEqual([]);
  expect(await codes(await livepatch("other", "6.1.0-2-amd64"))).toEqual(["WRONG_KERNEL"]);
  kernel.stuck.set("two", "both");
  kernel.write(FILES);
  expect(await codes(await livepatch("one"))).toEqual(["ALREADY_LOADED", "TRANSITION_IN_PROGRESS"]);
  expect(await codes(await livepatch("ext4"))).toEqual(["ALREADY_LOADED", "TRANSITION_IN_PROGRESS"]);
  expect(await codes(await livepatch("kept"))).toEqual(["ALREADY_LOADED", "TRANSITION_IN_PROGRESS"]);
  expect(await codes(await livepatch("old"))).toEqual(["TRANSITION_IN_PROGRESS"]);
  kernel.write({ "sys/module/module/parameters/sig_enforce": "Y\n" });
  expect(await codes(fit)).toEqual(["TRANSITION_IN_PROGRESS", "UNSIGNED"]);
});

test("preflight tells a kernel that cannot be livepatched", async () => {
  await using directory = await temporaryDirectory();
  const target = new KernelTarget({ root: directory.path });
  expect(codesOf(await target.preflight(await livepatch("fit", "")))).toContain("NO_LIVEPATCHING");
});
