/** What is found before a load, and while a transition goes on, in a stock kernel that runs. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { run } from "../../src/lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { type Job, Vm } from "../../src/rehearse/vm.ts";
import { openKernel } from "../../src/subject/kernel/open-kernel.ts";
import type { KernelPatch } from "../../src/targets/kernel/look.ts";
import type { VerbResult } from "../../src/targets/verb-result.ts";
import { wouldShow } from "../fixtures/shown.ts";
import { sutureFiles } from "../guest-programs.ts";
import { makeLivepatches } from "./livepatch-fixtures.ts";
import { buildEdits, type Edit } from "./source-diffs.ts";
import { stockKernel } from "./stock-kernel.ts";

/** A version of /proc/version that says a word first. */
const saying = (word: string): Edit => [
  "fs/proc/version.c",
  "	seq_printf(m, linux_proc_banner,",
  `	seq_puts(m, "${word} ");\n	seq_printf(m, linux_proc_banner,`,
];
const BUILT = { fix: false, above: false, cumulative: true } as const;

/** A parent that waits until its vfork child, which does nothing, has ended. */
const VFORK = `
#include <unistd.h>
int main(void) { if (vfork() == 0) for (;;) pause(); return 0; }`;

/** A probe with a post-handler: the kernel lets no livepatch patch the function then. */
const PROBING = `
#include <linux/kprobes.h>
static void after(struct kprobe *p, struct pt_regs *regs, unsigned long flags) {}
static struct kprobe probe = { .symbol_name = "version_proc_show", .post_handler = after };
static int replacement(struct seq_file *m, void *v)`;

/** What all programs in the guest begin with. */
const HEAD = `
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { KernelTarget } from "/app/src/targets/kernel/kernel-target.ts";
import { kernelState } from "/app/src/targets/kernel/look.ts";
import { moduleLoader, readModule } from "/app/src/targets/kernel/modules.ts";
import { readLivepatchFile } from "/app/src/patch/livepatch-file.ts";
const file = async (name) => await readLivepatchFile("/" + name + ".ko");
/** Another tool's, with the function that it patches, as one of suture's says it. */
const patching = async (name, func) => {
  const record = { name: func, sympos: 0, source: "", why: "", size: { original: 0, patched: 0 } };
  const metadata = { kernel: {}, objects: [{ name: "vmlinux", funcs: [record], callbacks: [] }] };
  return { ...(await file(name)), metadata };
};
const target = new KernelTarget();
const said = {};
`;

/** While the probe is there, which lets no livepatch in. */
const TAKEN = `${HEAD}
said.probing = await target.load(await file("probing"));
said.taken = await target.preflight(await patching("good", "version_proc_show"));
said.truth = await moduleLoader.insert("fix", (await file("fix")).data);
console.log(JSON.stringify(said));
process.exit(0);
`;

const PROGRAM = `${HEAD}
const changed = (livepatch, at) => {
  const metadata = structuredClone(livepatch.metadata);
  const { original } = metadata.objects[0].funcs[0];
  const code = Buffer.from(original.code, "base64");
  code[at] ^= 1;
  original.code = code.toString("base64");
  return { ...livepatch, metadata };
};
const tracing = "/sys/kernel/tracing/";
const probe = (text) => writeFileSync(tracing + "kprobe_events", text);
const ftrace = (value) => writeFileSync("/proc/sys/kernel/ftrace_enabled", value);
const version = () => readFileSync("/proc/version", "utf8");
const looks = [];
const [fix, above, cumulative] = [await file("fix"), await file("above"), await file("cumulative")];

said.fit = await target.preflight(fix);
said.changed = await target.preflight(changed(fix, 40));
said.notLoaded = await target.load(changed(fix, 40));

ftrace("0");
said.ftraceOff = await target.preflight(fix);
said.ftraceOffTruth = await moduleLoader.insert("fix", fix.data);
ftrace("1");

probe("p:entry version_proc_show\\np:body version_proc_show+14\\n");
writeFileSync(tracing + "events/kprobes/enable", "1");
said.probed = await target.preflight(fix);
said.probedLoad = await target.load(fix);
version();
said.hits = readFileSync(tracing + "kprobe_profile", "utf8");
said.ftraceHeld = (() => { try { ftrace("0"); return "off"; } catch (error) { return error.code; } })();
writeFileSync(tracing + "events/kprobes/enable", "0");
probe("");

said.below = await target.preflight(above);
said.onTop = await target.load(above);
said.version = version();
said.stacked = (await kernelState()).patches;
said.inserted = await moduleLoader.insert("cumulative", cumulative.data);
while ((await kernelState()).patches.some(({ state }) => state === "enabling"));
said.replaced = (await kernelState()).patches;
said.references = [await readModule("/", "fix"), await readModule("/", "above")].map((each) => each?.references);
said.again = await target.load(fix);
said.afterAgain = (await kernelState()).patches;

const sleeper = spawn("sleep", ["1000000"]);
while (!readFileSync("/proc/" + sleeper.pid + "/stack", "utf8").includes("hrtimer_nanosleep"));
said.sleeper = sleeper.pid;
said.asleep = await target.preflight(await patching("asleep", "hrtimer_nanosleep"));
sleeper.kill("SIGKILL");
said.neverDone = await target.preflight(await patching("never_done", "kthreadd"));
said.nobody = await target.preflight(await patching("good", "cmdline_proc_show"));
said.scheduler = await target.preflight(await patching("good", "schedule_timeout"));
const parent = spawn("/vfork");
// It is in the kernel's function before it has a child, and 0 would be this process's own group.
const childOf = (pid) => Number(readFileSync("/proc/" + pid + "/task/" + pid + "/children", "utf8"));
while (childOf(parent.pid) === 0 || readFileSync("/proc/" + parent.pid + "/stack", "utf8").match(/kernel_clone/) === null);
said.parent = parent.pid;
said.child = childOf(parent.pid);
said.vfork = await target.preflight(await patching("good", "kernel_clone"));
process.kill(said.child, "SIGKILL");

const hasty = new KernelTarget({ timeoutMs: 1500, watch: (look) => looks.push(look) });
said.reversed = await hasty.load(await file("never_done"));
said.looks = looks;

console.log(JSON.stringify(said));
process.exit(0);
`;

let directory: TemporaryDirectory;
let vm: Vm;
let said: Readonly<Record<string, unknown>>;
let unloaded: Job;

beforeAll(async () => {
  const { release, image } = await stockKernel("6.1");
  const kernel = await openKernel({ kind: "release", release }, { cache: new Cache(), progress: silentProgress });
  directory = await temporaryDirectory();
  for (const [name, replace] of Object.entries(BUILT))
    expect(await buildEdits(kernel, directory.path, name, [saying(name)], replace)).toMatchObject({ kind: "built" });
  const made = await makeLivepatches(await stockKernel("6.1"), join(directory.path, "livepatches"), {
    good: { name: "cmdline_proc_show", body: "return 0;" },
    never_done: { name: "kthreadd", prototype: "static int replacement(void *unused)", body: "return 0;" },
    asleep: { name: "hrtimer_nanosleep", prototype: "static long replacement(void)", body: "return 0;" },
    probing: {
      name: "cmdline_proc_show",
      prototype: PROBING,
      body: "return 0;",
      init: "int error = register_kprobe(&probe); if (error) return error;",
    },
  });
  await writeFile(join(directory.path, "vfork.c"), VFORK);
  const vfork = join(directory.path, "vfork");
  await run("gcc", ["-static", "-o", vfork, `${vfork}.c`], { check: true });
  const livepatches = [
    ...Object.entries(made),
    ...Object.keys(BUILT).map((name) => [name, join(directory.path, `${name}.ko`)] as const),
  ];
  vm = await Vm.start({
    image,
    files: [
      ...(await sutureFiles()),
      ...livepatches.map(([name, from]) => ({ kind: "copy" as const, path: `/${name}.ko`, from })),
      { kind: "copy", path: "/vfork", from: vfork, mode: 0o755 },
      { kind: "data", path: "/app/program.ts", data: PROGRAM },
      { kind: "data", path: "/app/taken.ts", data: TAKEN },
    ],
    log: join(directory.path, "guest.log"),
  });
  await vm.run("mount -t debugfs debugfs /sys/kernel/debug; mount -t tracefs tracefs /sys/kernel/tracing; true");
  const saidBy = async (program: string): Promise<object> => {
    const job = await vm.run(`node --no-warnings /app/${program}.ts`, 3600);
    if (job.status !== 0) throw new Error(`it ended with status ${job.status}: ${job.output}`);
    return JSON.parse(job.output);
  };
  const first = await saidBy("program");
  unloaded = await vm.run("HOME=/tmp suture unload --all -q", 3600);
  said = { ...first, ...(await saidBy("taken")) };
  for (const each of Object.values(said))
    if (typeof each === "object" && each !== null && "outcome" in each)
      wouldShow("load", { patch: "fix", results: [each as VerbResult], hidden: 0 });
});

afterAll(async () => {
  await vm?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

const result = (name: string): VerbResult => said[name] as VerbResult;
const patches = (name: string) =>
  (said[name] as KernelPatch[]).map(({ name: patch, state, under }) => [
    patch,
    state,
    ...under.map((each) => each.patch),
  ]);

test("the code that a livepatch was built against is proved in the memory of the kernel, moved by KASLR as it is", () => {
  expect(result("fit")).toMatchObject({ outcome: "done", problems: [], holders: [] });
  expect(result("fit").notes).toEqual([
    expect.stringMatching(
      /^the function that it patches is in memory .* are equal; \d+ others are what the kernel itself has rewritten$/,
    ),
  ]);
});

test("what is another byte in memory than the livepatch says keeps it out, with the function and the offset", () => {
  for (const name of ["changed", "notLoaded"])
    expect(result(name)).toMatchObject({
      outcome: "refused",
      problems: [{ code: "ORIGINAL_NOT_PROVED", where: expect.stringMatching(/^version_proc_show \+0x28: /) }],
    });
});

test("with ftrace switched off it is refused, as the kernel itself does; and a livepatch keeps it on", () => {
  expect(result("ftraceOff")).toMatchObject({ outcome: "refused", problems: [{ code: "FTRACE_OFF" }] });
  expect(said["ftraceOffTruth"]).toMatch(/busy/i);
  expect(said["ftraceHeld"]).toBe("EBUSY");
});

test("probes are understood: their bytes are explained, the one at the entry goes on, the one inside tells of nothing", () => {
  expect(result("probed")).toMatchObject({ outcome: "done", problems: [] });
  const notes = result("probed").notes.join("\n");
  expect(notes).toMatch(/the kprobe at version_proc_show\+0x0 goes on/);
  expect(notes).toMatch(/the kprobe at version_proc_show\+0xe lies in the code that is not run any more/);
  expect(result("probedLoad")).toMatchObject({ outcome: "done" });
  expect(said["hits"]).toMatch(/entry\s+1\s+0/);
  expect(said["hits"]).toMatch(/body\s+0\s+0/);
});

test("a probe with a post-handler keeps a livepatch out", () => {
  expect(result("probing")).toMatchObject({ outcome: "done" });
  expect(result("taken")).toMatchObject({
    outcome: "refused",
    problems: [{ code: "FUNCTION_TAKEN", what: expect.stringMatching(/kprobe with a post-handler/) }],
  });
  expect(said["truth"]).toMatch(/busy/i);
});

test("livepatches that lie on each other are shown in their order", () => {
  expect(result("below").notes).toContainEqual(expect.stringMatching(/version_proc_show is patched by fix already/));
  expect(result("onTop")).toMatchObject({ outcome: "done" });
  expect(said["version"]).toMatch(/^above Linux/);
  expect(patches("stacked")).toEqual([
    ["fix", "enabled", "above"],
    ["above", "enabled"],
  ]);
});

test("what was replaced by hand stays as a module, is told of as disabled, and its file can be loaded again", () => {
  expect(said["inserted"]).toBeUndefined();
  expect(patches("replaced")).toEqual([
    ["fix", "disabled"],
    ["above", "disabled"],
    ["cumulative", "enabled"],
  ]);
  expect(said["references"]).toEqual([0, 0]);
  expect(result("again")).toMatchObject({ outcome: "done", problems: [] });
  expect(patches("afterAgain")).toEqual([
    ["above", "disabled"],
    ["cumulative", "enabled", "fix"],
    ["fix", "enabled"],
  ]);
});

test("who would hold the transition up is foretold, with the reason and what would help", () => {
  expect(result("asleep")).toMatchObject({
    outcome: "done",
    holders: [
      {
        tid: said["sleeper"],
        why: expect.stringMatching(/^inside hrtimer_nanosleep at frame \d+; asleep in/),
        help: expect.stringMatching(/a signal ends the wait/),
      },
    ],
  });
  expect(result("neverDone")).toMatchObject({
    holders: [{ tid: 2, name: "kthreadd", help: expect.stringMatching(/only a reboot/) }],
  });
  expect(result("neverDone").notes).toContainEqual(expect.stringMatching(/would not end by itself/));
  expect(result("vfork")).toMatchObject({
    holders: [{ tid: said["parent"], why: expect.stringContaining(`its child ${said["child"]} ends`) }],
  });
  expect(result("vfork").notes).toContainEqual(expect.stringMatching(/would not end by itself/));
  expect(result("nobody").holders).toEqual([]);
  expect(result("nobody").notes).not.toContainEqual(expect.stringMatching(/transition/));
  expect(result("scheduler").notes).toContainEqual(expect.stringMatching(/schedule_timeout is the scheduler's/));
});

test("a transition is watched: how many tasks there are, who is left, and the way back", () => {
  expect(result("reversed")).toMatchObject({ outcome: "reversed" });
  const looks = said["looks"] as { readonly going: string; readonly tasks: number; readonly holders: unknown[] }[];
  expect(looks.length).toBeGreaterThan(0);
  expect(looks[0]).toMatchObject({
    patch: "never_done",
    going: "enabling",
    timeoutMs: 1500,
    holders: expect.arrayContaining([expect.objectContaining({ name: "kthreadd" })]),
  });
  for (const { tasks, holders } of looks) expect(tasks).toBeGreaterThan(holders.length);
});

test("all of them are unloaded by one command, the last one first", () => {
  const { status, output } = unloaded;
  expect({
    status,
    output: output
      .trim()
      .split("\n")
      .map((line) => line.replace(/^Linux \S+: /, "")),
  }).toEqual({
    status: 0,
    output: ["fix unloaded", "cumulative unloaded", "above unloaded"],
  });
});
