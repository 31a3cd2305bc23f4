import { afterAll, describe, expect, test } from "vitest";
import type { Consistency } from "../../src/core/consistency.ts";
import { Core } from "../../src/core/core.ts";
import type { Hook, StoppedSystem } from "../../src/core/machine.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { ProcessMachine } from "../../src/process/machine/process-machine.ts";
import { type RunningVersions, VersionsProgram } from "./hooked-program.ts";
import { PATCHED, versionsPatch } from "./versions-patch.ts";

const programs = { pie: new VersionsProgram(), fixed: new VersionsProgram("-no-pie", "-static") };
const marked = new VersionsProgram("-fcf-protection=full");
afterAll(() => {
  for (const program of [programs.pie, programs.fixed, marked]) program[Symbol.dispose]();
});

const TIMEOUT = { timeoutMs: 60_000 };

function done(outcome: Outcome): void {
  expect(outcome).toMatchObject({ kind: "done" });
}

/** Calls of h that threads have made by each version since the last look. */
async function versionsUsed(run: RunningVersions): Promise<{ old: boolean; new: boolean }> {
  const before = run.counts();
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { old, new: now } = run.counts();
    if (old + now > before.old + before.new + 50) return { old: old > before.old, new: now > before.new };
  }
}

/** Toggles each way; whatever happens in between, at the end only the wanted version is called. */
async function toggled(run: RunningVersions, consistency: Consistency, times: number): Promise<void> {
  const original = PATCHED.map((name) => run.bytes(name));
  {
    using machine = ProcessMachine.attach(run.pid);
    const core = Core.open(machine);
    const patch = versionsPatch(run);
    const options = { consistency, ...TIMEOUT };
    for (let time = 0; time < times; time++) {
      done(await (time === 0 ? core.load(patch, options) : core.enable(patch.name, options)));
      if (time === 0) expect(await versionsUsed(run)).toEqual({ old: false, new: true });
      done(await core.disable(patch.name, options));
      if (time === 0) expect(await versionsUsed(run)).toEqual({ old: true, new: false });
    }
    done(core.unload(patch.name));
    expect(machine.dropControl()).toBeUndefined();
    expect(machine.hasControl).toBe(false);
  }
  expect(PATCHED.map((name) => run.bytes(name))).toEqual(original);
  const { mixed, old, new: now } = run.counts();
  expect({ mixed, hasOld: old > 0, hasNew: now > 0 }).toEqual({ mixed: 0, hasOld: true, hasNew: true });
  expect(run.exit).toBeUndefined();
}

describe("64 threads, patched and reverted again and again, no call of a mixed universe, all bytes as before", () => {
  test("by stop, threads that rest between calls", async () => {
    using run = programs.pie.run({ threads: 64, rounds: 4, resting: 64 });
    await toggled(run, "stop", 40);
  });

  test("by lazy, threads that never leave the patched functions for long", async () => {
    using run = programs.pie.run({ threads: 64, rounds: 50, resting: 60 });
    await toggled(run, "lazy", 15);
  });

  test("by hybrid, some threads that never rest", async () => {
    using run = programs.pie.run({ threads: 64, rounds: 50, resting: 60 });
    await toggled(run, "hybrid", 30);
  });

  test("while threads end and others are born in their place, also with what the C library kept of them", async () => {
    using run = programs.pie.run({ threads: 64, rounds: 20, resting: 60, life: 5 });
    do {
      await toggled(run, "lazy", 15);
      await toggled(run, "hybrid", 15);
    } while (run.counts().restarts <= 500);
  });

  test("in a static program at fixed addresses", async () => {
    using run = programs.fixed.run({ threads: 16, rounds: 50, resting: 12 });
    await toggled(run, "hybrid", 15);
  });

  test("in a program whose functions start with endbr64", async () => {
    using run = marked.run({ threads: 16, rounds: 50, resting: 12 });
    expect(run.bytes("f").subarray(0, 4).toString("hex")).toBe("f30f1efa");
    await toggled(run, "lazy", 15);
  });
});

describe("what is in the process is found again", () => {
  test("a fresh machine knows the record, the extra part and the hooks, and can revert them", async () => {
    using run = programs.pie.run({ threads: 4, rounds: 10, resting: 4 });
    const original = run.bytes("f");
    {
      using machine = ProcessMachine.attach(run.pid);
      expect([machine.record(), machine.targetPart(), machine.hasControl]).toEqual([undefined, undefined, false]);
      machine.saveTargetPart({ patches: ["one"] });
      done(await Core.open(machine).load(versionsPatch(run), { consistency: "hybrid", ...TIMEOUT }));
      expect(machine.targetPart()).toEqual({ patches: ["one"] });
    }
    expect(run.bytes("f")).not.toEqual(original);
    expect(await versionsUsed(run)).toEqual({ old: false, new: true });
    using machine = ProcessMachine.attach(run.pid);
    expect(machine.targetPart()).toEqual({ patches: ["one"] });
    const core = Core.open(machine);
    expect(core.patches.map(({ name }) => name)).toEqual(["versions-patch"]);
    machine.targetPartWithNextCommit({ patches: [] });
    done(await core.disable("versions-patch", { consistency: "lazy", ...TIMEOUT }));
    expect(machine.targetPart()).toEqual({ patches: [] });
    expect(run.bytes("f")).toEqual(original);
    expect(run.counts().mixed).toBe(0);
  });
});

describe("processes that do not wait for us", () => {
  test("a forked child carries the patch and its record, and is reverted by itself", async () => {
    using run = programs.pie.run({ threads: 4, rounds: 10, resting: 4 });
    const original = run.bytes("f");
    {
      using machine = ProcessMachine.attach(run.pid);
      done(await Core.open(machine).load(versionsPatch(run), { consistency: "hybrid", ...TIMEOUT }));
    }
    const child = run.fork();
    {
      using machine = ProcessMachine.attach(child.pid);
      const core = Core.open(machine);
      expect(core.patches.map(({ name }) => name)).toEqual(["versions-patch"]);
      while (child.counts().new === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      done(await core.disable("versions-patch", { consistency: "lazy", ...TIMEOUT }));
      done(core.unload("versions-patch"));
      expect(machine.dropControl()).toBeUndefined();
      expect(machine.read(run.code("f").entry, original.length)).toEqual(original);
    }
    const { old } = child.counts();
    while (child.counts().old < old + 10) await new Promise((resolve) => setTimeout(resolve, 5));
    expect([child.counts().mixed, run.counts().mixed]).toEqual([0, 0]);
    expect(run.bytes("f")).not.toEqual(original);
    expect(await versionsUsed(run)).toEqual({ old: false, new: true });
  });

  test("one that is killed in the middle of a transition is an error that says so", async () => {
    using run = programs.pie.run({ threads: 8, rounds: 100_000_000, resting: 0 });
    using machine = ProcessMachine.attach(run.pid);
    const loaded = Core.open(machine).load(versionsPatch(run), { consistency: "lazy", ...TIMEOUT });
    setTimeout(() => process.kill(run.pid, "SIGKILL"), 300);
    await expect(loaded).rejects.toMatchObject({ code: "TARGET_GONE" });
  });
});

describe("sites", () => {
  test("a function shorter than a hook needs padding that is proved to be no one's", () => {
    using run = programs.pie.run({ threads: 1, rounds: 1, resting: 1 });
    using machine = ProcessMachine.attach(run.pid);
    const { entry } = run.site("tiny").original;
    const site = { id: "versions:tiny,0", original: { entry, ranges: [{ start: entry, end: entry + 3 }] } };
    expect(machine.examineSite(site)).toMatchObject({ kind: "refusal", code: "FUNCTION_TOO_SHORT" });
    expect(() => machine.prepareSites([{ site }])).toThrow(/tiny/);
    expect(machine.hasControl).toBe(false);
  });

  test("new code out of reach of its hook is an error before anything is changed", () => {
    using run = programs.pie.run({ threads: 1, rounds: 1, resting: 1 });
    using machine = ProcessMachine.attach(run.pid);
    const before = run.bytes("f");
    const far: Hook = { kind: "direct", to: 0x1000 };
    const commit = (system: StoppedSystem) =>
      system.commit({ hooks: new Map([[run.site("f"), far]]), behind: new Set(), record: "" });
    expect(() => machine.stopped(commit)).toThrow(/further than 2 GiB/);
    expect(run.bytes("f")).toEqual(before);
    expect(machine.dropControl()).toBeUndefined();
  });
});
