/**
 * A case: a source diff, what has to become of it, and the scripts that show
 * its effect in a guest. Each is a folder of test/cases/kernel.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { auditKernelLivepatch } from "../../src/audit/audit.ts";
import { Cache } from "../../src/lib/cache.ts";
import { SutureError } from "../../src/lib/error.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { run } from "../../src/lib/run.ts";
import { readSealed } from "../../src/patch/digest.ts";
import type { GuestFile } from "../../src/rehearse/initramfs.ts";
import { buildKernelLivepatch, type KernelBuildResult } from "../../src/subject/kernel/build.ts";
import { wouldShow } from "../fixtures/shown.ts";

const DIRECTORY = join(import.meta.dirname, "../cases/kernel");
/** In the order in which they run: before the load, while it is in force, after the unload. */
const SCRIPTS = ["before", "after", "later"] as const;

const Expectation = v.strictObject({
  outcome: v.picklist(["built", "refused", "error"]),
  /** Why it is so, for who reads the folder. */
  because: v.string(),
  /** Of a refusal or an error: every code that is given, sorted. */
  codes: v.optional(v.array(v.string()), []),
  /** Regular expressions that the refusals' sentences, or the notes of what is built, have to match. */
  says: v.optional(v.array(v.string()), []),
  /** Why the audit finds something in it, where that is a limit of the audit's which docs/audit.md names. */
  unaudited: v.optional(v.string()),
  /** All functions that are patched, sorted, where that is what the case is about. */
  functions: v.optional(v.array(v.string())),
  /** Its transition does not end, and says so with this regular expression; it is taken back then. */
  endless: v.optional(v.string()),
  /** Modules that its scripts can load. */
  modules: v.optional(v.array(v.string()), []),
  /** It can be disabled, and its module is not unloaded. */
  stays: v.optional(v.boolean(), false),
});

export interface Case {
  readonly name: string;
  readonly expect: v.InferOutput<typeof Expectation>;
  readonly scripts: readonly (typeof SCRIPTS)[number][];
}

/** All cases that have an expectation. */
export function kernelCases(): Case[] {
  return readdirSync(DIRECTORY)
    .sort()
    .flatMap((name) => {
      const files = readdirSync(join(DIRECTORY, name));
      if (!files.includes("expect.json")) return [];
      const text = readFileSync(join(DIRECTORY, name, "expect.json"), "utf8");
      const scripts = SCRIPTS.filter((script) => files.includes(`${script}.sh`));
      return [{ name, scripts, expect: v.parse(Expectation, JSON.parse(text)) }];
    });
}

/** The name under which a case's livepatch is loaded. */
export function moduleName({ name }: Case): string {
  return `case_${name.replaceAll("-", "_")}`;
}

/** What came of a case; an error is one of its kernel or its diff. */
export type CaseResult = KernelBuildResult | { readonly kind: "error"; readonly error: SutureError };

export async function buildCase(each: Case, release: string, directory: string): Promise<CaseResult> {
  try {
    return await build(each, release, directory);
  } catch (error) {
    if (error instanceof SutureError) return { kind: "error", error };
    throw error;
  }
}

async function build(each: Case, release: string, directory: string): Promise<KernelBuildResult> {
  const result = await buildKernelLivepatch({
    kernel: { kind: "release", release },
    diffs: [{ name: `${each.name}.patch`, data: readFileSync(join(DIRECTORY, each.name, "fix.patch")) }],
    strip: undefined,
    output: join(directory, `${moduleName(each)}.ko`),
    name: moduleName(each),
    replace: false,
    jobs: 2,
    cache: new Cache(),
    progress: silentProgress,
    signal: undefined,
  });
  wouldShow("build", result);
  return result;
}

/** What the second opinion finds in its livepatch, a sentence each. */
export async function auditCase(
  each: Case,
  { path, metadata }: KernelBuildResult & { kind: "built" },
): Promise<string[]> {
  const audit = await auditKernelLivepatch({
    livepatch: readSealed(readFileSync(path), path),
    metadata,
    kernel: { kind: "release", release: metadata.kernel.release },
    diffs: [{ name: `${each.name}.patch`, data: readFileSync(join(DIRECTORY, each.name, "fix.patch")) }],
    strip: undefined,
    jobs: 1,
    cache: new Cache(),
    progress: silentProgress,
    signal: undefined,
  });
  wouldShow("audit", audit);
  return audit.findings.map(({ kind, what }) => `${kind}: ${what}`);
}

/** Its scripts below /cases/NAME, and each program that it brings as 32-bit assembly at the root. */
export async function caseFiles({ name, scripts }: Case, directory: string): Promise<GuestFile[]> {
  const files: GuestFile[] = scripts.map((script) => ({
    kind: "copy",
    path: `/cases/${name}/${script}.sh`,
    from: join(DIRECTORY, name, `${script}.sh`),
  }));
  for (const source of readdirSync(join(DIRECTORY, name)).filter((file) => file.endsWith(".s"))) {
    const program = join(directory, source.slice(0, -2));
    await run("as", ["--32", "-o", `${program}.o`, join(DIRECTORY, name, source)]);
    await run("ld", ["-m", "elf_i386", "-o", program, `${program}.o`]);
    files.push({ kind: "copy", path: `/${source.slice(0, -2)}`, from: program, mode: 0o755 });
  }
  return files;
}
