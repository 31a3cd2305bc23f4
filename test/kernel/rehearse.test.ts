/** What a rehearsal says of good and bad livepatches, in a stock kernel. */

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAlive } from "../../src/lib/process-life.ts";
import { run } from "../../src/lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { rehearseMany } from "../../src/rehearse/batch.ts";
import { type RehearseRequest, rehearse } from "../../src/rehearse/rehearse.ts";
import { formatRehearsal } from "../../src/rehearse/report.ts";
import type { Rehearsal } from "../../src/rehearse/result.ts";
import { Vm } from "../../src/rehearse/vm.ts";
import { wouldShow } from "../fixtures/shown.ts";
import { isLong } from "../long.ts";
import { type FixtureFunc, makeLivepatches } from "./livepatch-fixtures.ts";
import { type Series, type StockKernel, stockKernel } from "./stock-kernel.ts";

const SHOW = "cmdline_proc_show";
const VETH = {
  object: "veth",
  name: "veth_set_multicast_list",
  prototype: "struct net_device;\nstatic void replacement(struct net_device *dev)",
} as const;

const FIXTURES = {
  good: { name: SHOW, body: 'seq_puts(m, "patched\\n"); return 0;' },
  of_veth: { ...VETH, body: "" },
  of_veth_wrong: { ...VETH, name: "no_such_function", body: "" },
  of_absent_hardware: {
    object: "kvm_intel",
    name: "vmx_cancel_injection",
    prototype: "static void replacement(void *vcpu)",
    body: "",
  },
  of_absent_hardware_wrong: { object: "kvm_intel", name: "no_such_function", body: "return 0;" },
  of_no_module: { object: "no_such_module", name: "any_function", body: "return 0;" },
  warns: { name: SHOW, body: 'WARN(1, "a test of warnings"); return 0;' },
  oopses: { name: SHOW, body: "*(volatile int *)8 = 1; return 0;" },
  panics: { name: SHOW, body: 'panic("a test of panics"); return 0;' },
  panics_at_load: { name: SHOW, body: "return 0;", init: 'panic("a test of panics");' },
  unknown_function: { name: "no_such_function", body: "return 0;" },
  // The thread that makes kernel threads never leaves its function.
  never_done: { name: "kthreadd", prototype: "static int replacement(void *unused)", body: "return 0;" },
} as const satisfies Record<string, FixtureFunc>;

interface Bench {
  readonly kernel: StockKernel;
  readonly directory: string;
  readonly made: Readonly<Record<keyof typeof FIXTURES, string>>;
  script(name: string, text: string): Promise<string>;
  rehearsed(name: keyof typeof FIXTURES, more?: Partial<RehearseRequest>): Promise<Rehearsal>;
}

async function makeBench(series: Series, { path }: TemporaryDirectory): Promise<Bench> {
  const kernel = await stockKernel(series);
  const made = await makeLivepatches(kernel, join(path, "livepatches"), FIXTURES);
  return {
    kernel,
    directory: path,
    made,
    async script(name, text) {
      await writeFile(join(path, name), text);
      return join(path, name);
    },
    async rehearsed(name, more = {}) {
      const log = join(path, `${name}.log`);
      const result = await rehearse({ kernel, livepatch: made[name], log, timeoutSeconds: 20, ...more });
      wouldShow("rehearse", result);
      if (result.kind === "refused") throw new Error(result.refusal.what);
      return result;
    },
  };
}

function failedSteps(result: Rehearsal): string[] {
  return result.steps.filter(({ ok }) => !ok).map(({ name }) => name);
}

const SERIES: readonly Series[] = isLong ? ["6.1", "6.12"] : ["6.1"];

describe.each(SERIES)("Linux %s", (series) => {
  let temporary: TemporaryDirectory;
  let bench: Bench;

  beforeAll(async () => {
    temporary = await temporaryDirectory();
    bench = await makeBench(series, temporary);
  });

  afterAll(async () => await temporary[Symbol.asyncDispose]());

  test("a livepatch of the kernel itself passes, and the scripts see it come", async () => {
    const result = await bench.rehearsed("good", {
      before: await bench.script("before", "! grep -q ^patched /proc/cmdline && cat /brought/along\n"),
      during: await bench.script("during", "while :; do cat /proc/cmdline > /dev/null; done\n"),
      after: await bench.script("after", "grep ^patched /proc/cmdline\n"),
      unloaded: await bench.script("unloaded", "! grep -q ^patched /proc/cmdline && ls /sys/kernel/livepatch\n"),
      files: new Map([[await bench.script("along", "a file of the host\n"), "/brought/along"]]),
    });
    expect(formatRehearsal(result).join("\n")).toMatch(/\nok in /);
    expect(result).toMatchObject({
      ok: true,
      livepatch: "good",
      objects: [{ name: "vmlinux", targetLoads: true, patchedBefore: true }],
      findings: [],
      uptimeContinues: true,
    });
    expect(result.steps.find(({ name }) => name === "script before")?.output).toBe("a file of the host");
    expect(result.steps.find(({ name }) => name === "script after")?.output).toBe("patched");
    const names = result.steps.map(({ name }) => name);
    expect(names.slice(names.indexOf("unload good"), names.indexOf("load it again"))).toEqual([
      "unload good",
      "script after the unload",
    ]);
    expect(result.steps.find(({ name }) => name === "script after the unload")?.output).toBe("");
    expect(result.transitionSeconds).toBeGreaterThan(0);
    expect(result.transitions.map(({ direction }) => direction)).toEqual([
      "patching",
      "unpatching",
      "patching",
      "unpatching",
    ]);
    expect(await readFile(result.boots[0]?.log ?? "", "utf8")).toContain("livepatch: 'good': patching complete");
  });

  test("a livepatch of a module is tried with the module loaded before it and after it", async () => {
    const result = await bench.rehearsed("of_veth");
    expect(result.boots.map(({ kind }) => kind)).toEqual(["targets first", "livepatch first"]);
    expect(result.objects).toEqual([
      { name: "veth", targetLoads: true, targetError: undefined, patchedBefore: true, patchedAfter: true },
    ]);
    expect(result.ok).toBe(true);
  });

  test("a module that does not load for want of hardware is told, and is no failure", async () => {
    const result = await bench.rehearsed("of_absent_hardware", { targets: ["kvm_intel"] });
    expect(result.ok).toBe(true);
    expect(result.objects).toMatchObject([{ name: "kvm_intel", targetLoads: false, patchedBefore: false }]);
    expect(result.objects[0]?.targetError).toMatch(/Operation not supported|Input\/output error/);
  });

  test("many livepatches share boots, and one that kills its guest takes none with it", async () => {
    const names = ["good", "panics_at_load", "of_veth", "unknown_function", "of_absent_hardware", "warns"] as const;
    const seen: string[] = [];
    const results = await rehearseMany(
      bench.kernel,
      names.map((name) => bench.made[name]),
      {
        logs: join(bench.directory, "batch"),
        timeoutSeconds: 10,
        machines: 1,
        onResult: (path) => seen.push(path),
      },
    );
    const ok = results.map((result) => result.kind === "rehearsed" && result.ok);
    expect(ok).toEqual([true, false, true, false, true, true]);
    expect(results[1]).toMatchObject({ lost: { step: "load panics_at_load" } });
    expect(results[2]).toMatchObject({ objects: [{ name: "veth", patchedBefore: true, patchedAfter: true }] });
    expect(seen.toSorted()).toEqual(names.map((name) => bench.made[name]).toSorted());
    expect((await readdir(join(bench.directory, "batch"))).length).toBeLessThan(names.length);
  });
});

describe("what goes wrong", () => {
  let temporary: TemporaryDirectory;
  let bench: Bench;

  beforeAll(async () => {
    temporary = await temporaryDirectory();
    bench = await makeBench("6.1", temporary);
  });

  afterAll(async () => await temporary[Symbol.asyncDispose]());

  test("a module that loads alone and not under the livepatch is the livepatch's failure", async () => {
    const result = await bench.rehearsed("of_veth_wrong", { targets: ["veth"] });
    expect(result.ok).toBe(false);
    expect(failedSteps(result)).toEqual(["load of_veth_wrong", "load veth"]);
    expect(result.findings.map(({ line }) => line)).toContain(
      "livepatch: symbol 'no_such_function' not found in symbol table",
    );
  });

  test("what is wrong with a livepatch is found with a module that does not load for want of hardware, too", async () => {
    const result = await bench.rehearsed("of_absent_hardware_wrong", { targets: ["kvm_intel"] });
    expect(result.ok).toBe(false);
    expect(result.findings.map(({ line }) => line)).toContain(
      "livepatch: symbol 'no_such_function' not found in symbol table",
    );
  });

  test("a module that the kernel does not have is told", async () => {
    const result = await bench.rehearsed("of_no_module");
    expect(result.objects[0]?.targetError).toBe("this kernel has no module no_such_module");
  });

  test("a warning in patched code is found, with the place it comes from", async () => {
    const result = await bench.rehearsed("warns", { after: await bench.script("read", "cat /proc/cmdline\n") });
    expect(result.ok).toBe(false);
    expect(result.findings).toMatchObject([{ kind: "warning", step: "script after", boot: "targets first" }]);
    expect(result.findings[0]?.context.join("\n")).toContain("replacement+0x");
  });

  test("an oops in patched code is found", async () => {
    const result = await bench.rehearsed("oopses", { after: await bench.script("read", "cat /proc/cmdline\n") });
    expect(result.findings).toMatchObject([{ kind: "oops" }]);
    expect(failedSteps(result)).toEqual(["script after"]);
    expect(result.lost).toBeUndefined();
  });

  test("what a livepatch leaves wrong is found by the script after its unload", async () => {
    const unloaded = await bench.script("unloaded", "echo still wrong; false\n");
    const result = await bench.rehearsed("of_veth", { unloaded });
    expect(failedSteps(result)).toEqual(["script after the unload"]);
    expect(result.ok).toBe(false);
  });

  test("a guest that panics is lost, and the rehearsal says where", async () => {
    const result = await bench.rehearsed("panics", { after: await bench.script("read", "cat /proc/cmdline\n") });
    expect(result).toMatchObject({ ok: false, uptimeContinues: false, lost: { step: "script after" } });
    expect(result.findings).toMatchObject([{ kind: "oops", line: "Kernel panic - not syncing: a test of panics" }]);
  });

  test("a transition that does not end fails, with the task that holds it up", async () => {
    const result = await bench.rehearsed("never_done", { timeoutSeconds: 2 });
    expect(failedSteps(result)).toEqual(["load never_done"]);
    expect(result.steps.find(({ ok }) => !ok)?.detail).toMatch(
      /^the transition does not end: kthreadd \(2\), inside kthreadd at frame/,
    );
  });

  test("a script that fails or does not end fails the rehearsal", async () => {
    const fails = await bench.rehearsed("good", { before: await bench.script("fails", "echo no; exit 3\n") });
    expect(fails.steps.find(({ ok }) => !ok)).toMatchObject({
      name: "script before",
      detail: "exit status 3",
      output: "no",
    });
    const hangs = await bench.rehearsed("good", {
      after: await bench.script("hangs", "sleep 1000\n"),
      timeoutSeconds: 2,
    });
    expect(hangs.steps.find(({ ok }) => !ok)).toMatchObject({ detail: "it did not end within 2 s" });
    const during = await bench.rehearsed("good", { during: await bench.script("ends", "exit 4\n") });
    expect(failedSteps(during)).toEqual(["workload during the patching"]);
  });

  test("a livepatch for another kernel is refused before anything is booted", async () => {
    const other = {
      ...bench.kernel,
      release: "5.10.0-1-amd64",
      image: "/no/such/image",
      modules: "/no/such/directory",
    };
    const log = join(bench.directory, "refused.log");
    const result = await rehearse({ kernel: other, livepatch: bench.made.good, log });
    wouldShow("rehearse", result);
    expect(result).toMatchObject({ kind: "refused", refusal: { code: "WRONG_KERNEL" } });
    await expect(readFile(log)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("an interrupt ends the machine and leaves nothing behind", async () => {
    const parent = join(bench.directory, "tmp");
    await run("mkdir", [parent], { check: true });
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = parent;
    try {
      for (const milliseconds of [1, 300, 1500, 5000]) {
        const signal = AbortSignal.timeout(milliseconds);
        const during = await bench.script("forever", "sleep 1000\n");
        await expect(bench.rehearsed("good", { signal, after: during })).rejects.toMatchObject({ code: "INTERRUPTED" });
        expect(await readdir(parent)).toEqual([]);
        expect(await ourMachines()).toEqual([]);
      }
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
  });

  test("a guest that does not answer is given up, with its log", async () => {
    const log = join(bench.directory, "hung.log");
    await using vm = await Vm.start({ image: bench.kernel.image, files: [], log });
    expect(await vm.run("echo said; exit 7")).toMatchObject({ status: 7, output: "said\n" });
    await expect(vm.run("while :; do :; done", 2)).rejects.toMatchObject({ code: "GUEST_HUNG" });
    await expect(vm.run("true")).rejects.toMatchObject({ code: "GUEST_HUNG" });
  });

  test("an image that does not boot is told", async () => {
    const image = await bench.script("image", "no kernel");
    const starting = Vm.start({ image, files: [], log: join(bench.directory, "no.log"), bootSeconds: 20 });
    await expect(starting).rejects.toMatchObject({ code: "GUEST_NOT_BOOTED" });
  });
});

/** Machines that this process has started and that still live. */
async function ourMachines(): Promise<number[]> {
  const { stdout } = await run("ps", ["-o", "pid=,comm=", "--ppid", String(process.pid)]);
  const machines = stdout.split("\n").filter((line) => line.includes("qemu"));
  return machines.map((line) => Number.parseInt(line, 10)).filter((pid) => isAlive(pid));
}
