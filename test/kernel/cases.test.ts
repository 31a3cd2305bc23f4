/** What others' livepatches showed: each case is built, and what is built is loaded, seen, taken away, in one stock kernel. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mapParallel } from "../../src/lib/parallel.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { moduleFiles } from "../../src/rehearse/guest.ts";
import { GuestLivepatch, whyTransitionStays } from "../../src/rehearse/guest-livepatch.ts";
import { ModuleTree } from "../../src/rehearse/module-tree.ts";
import { type Job, Vm } from "../../src/rehearse/vm.ts";
import type { KernelBuildResult } from "../../src/subject/kernel/build.ts";
import { newestKernel } from "../fixtures/newest-kernel.ts";
import { auditCase, buildCase, type Case, type CaseResult, caseFiles, kernelCases, moduleName } from "./case.ts";

/** Fiftieths of a second. */
const LIMIT = 3000;
/** Of a transition that does not end. */
const FEW = 150;
const SECONDS = 1800;

/** Some cases alone: SUTURE_CASE=name,name. */
const wanted = process.env["SUTURE_CASE"]?.split(",");
const cases = kernelCases().filter(({ name }) => wanted === undefined || wanted.includes(name));

const audited = cases.filter(({ expect: { outcome, unaudited } }) => outcome === "built" && unaudited === undefined);

describe("cases", () => {
  let directory: TemporaryDirectory;
  let boot: () => Promise<Vm>;
  let vm: Vm | undefined;
  const results = new Map<Case, CaseResult>();
  const audits = new Map<Case, Promise<string[]>>();

  beforeAll(async () => {
    const kernel = await newestKernel("6.1");
    directory = await temporaryDirectory();
    const { path } = directory;
    await mapParallel(cases, 2, async (each) => results.set(each, await buildCase(each, kernel.release, path)));
    const files = (await Promise.all(cases.map((each) => caseFiles(each, directory.path)))).flat();
    const livepatches = cases.filter((each) => results.get(each)?.kind === "built").map(moduleName);
    const tree = await ModuleTree.open(kernel.modules);
    const modules = [...new Set(cases.flatMap(({ expect: { modules } }) => modules))];
    const needed = (await Promise.all(modules.map((name) => tree.loadOrder(name)))).flat();
    const image = kernel.vmlinuz ?? "";
    beginAudits();
    boot = async () =>
      await Vm.start({
        image,
        append: "rootfstype=ramfs",
        files: [
          ...files,
          ...moduleFiles(kernel.release, needed),
          ...livepatches.map((name) => ({
            kind: "copy" as const,
            path: `/livepatches/${name}.ko`,
            from: join(directory.path, `${name}.ko`),
          })),
        ],
        log: join(directory.path, "log"),
      });
  }, 90 * 60_000);

  afterAll(async () => {
    await vm?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  /** One after the other, while the guest, which has one processor, runs. */
  function beginAudits(): void {
    let last: Promise<unknown> = Promise.resolve();
    for (const each of audited) {
      const result = results.get(each);
      if (result?.kind !== "built") continue;
      const audit = last.then(() => auditCase(each, result));
      // Its own test tells what is wrong.
      last = audit.catch(() => undefined);
      audits.set(each, audit);
    }
  }

  /** A guest that died with one case is none for the next. */
  async function guest(): Promise<Vm> {
    vm ??= await boot();
    return vm;
  }

  /** Whatever comes of it, the kernel has nothing to say. */
  async function ran(command: string): Promise<Job> {
    const machine = await guest();
    try {
      const job = await machine.run(command, SECONDS);
      expect(job.log.map(({ text }) => text).filter(isFault)).toEqual([]);
      return job;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      vm = undefined;
      throw error;
    }
  }

  async function done(command: string): Promise<void> {
    const { status, output } = await ran(command);
    expect(status, `${command}\n${output}`).toBe(0);
  }

  for (const each of cases) {
    const { name, expect: expected, scripts } = each;
    test(`${name}: ${expected.outcome}, since ${expected.because}`, { timeout: 60 * 60_000 }, async () => {
      const result = results.get(each);
      expect(outcomeOf(result)).toEqual({ outcome: expected.outcome, codes: expected.codes });
      for (const said of expected.says) expect(sentences(result)).toMatch(new RegExp(said));
      if (result?.kind !== "built") return;
      if (expected.functions !== undefined) expect(functions(result)).toEqual(expected.functions);
      const module = moduleName(each);
      const script = (step: (typeof scripts)[number]) =>
        scripts.includes(step) ? done(`sh /cases/${name}/${step}.sh`) : undefined;
      const livepatch = new GuestLivepatch(ran, module);
      const file = `/livepatches/${module}.ko`;
      if (expected.endless !== undefined) {
        const seen = await livepatch.load(file, FEW);
        if (seen.kind !== "late") throw new Error(`the transition ended: ${seen.kind}`);
        const why = whyTransitionStays(await livepatch.holders(seen.patch));
        expect(await livepatch.disable(LIMIT)).toEqual({ kind: "gone" });
        expect(await livepatch.unload()).toMatchObject({ status: 0 });
        expect(why).toMatch(new RegExp(expected.endless));
        return;
      }
      await script("before");
      expect(await livepatch.load(file, LIMIT)).toMatchObject({ kind: "enabled" });
      await script("after");
      expect(await livepatch.disable(LIMIT)).toEqual({ kind: "gone" });
      expect(await (expected.stays ? livepatch.stays() : livepatch.unload())).toMatchObject({ status: 0 });
      await script("later");
    });
  }

  test.each(audited)("$name: every difference is accounted for", { timeout: 60 * 60_000 }, async (each) => {
    expect(await audits.get(each)).toEqual([]);
  });
});

function isFault(text: string): boolean {
  return /^(BUG|Oops|WARNING|general protection|Kernel panic|INFO: task .* blocked)/.test(text);
}

function outcomeOf(result: CaseResult | undefined): { outcome: string | undefined; codes: string[] } {
  const codes = result?.kind === "refused" ? result.refusals.map(({ code }) => code) : [];
  if (result?.kind === "error") codes.push(result.error.code);
  return { outcome: result?.kind, codes: codes.sort() };
}

function sentences(result: CaseResult | undefined): string {
  if (result?.kind === "error") return `${result.error.message}\n${result.error.where}\n${result.error.hint}`;
  if (result?.kind === "refused") return result.refusals.map(({ what, hint }) => `${what}\n${hint}`).join("\n");
  if (result?.kind !== "built") return "";
  const { notes, leftOut } = result.metadata;
  return [
    ...notes.map(({ code, text }) => `${code}: ${text}`),
    ...leftOut.map(({ code, what }) => `${code}: ${what}`),
  ].join("\n");
}

function functions(result: KernelBuildResult & { kind: "built" }): string[] {
  return result.metadata.objects.flatMap(({ funcs }) => funcs.map(({ name }) => name)).sort();
}
