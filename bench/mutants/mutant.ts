/** One mutant: made, built, audited. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";
import { auditKernelLivepatch } from "../../src/audit/audit.ts";
import type { Cache } from "../../src/lib/cache.ts";
import { SutureError } from "../../src/lib/error.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { readSealed } from "../../src/patch/digest.ts";
import { readMetadata } from "../../src/patch/read-metadata.ts";
import { buildKernelLivepatch } from "../../src/subject/kernel/build.ts";
import type { Mutated, Mutation } from "./mutation.ts";
import { unseenChanges } from "./unseen.ts";

export interface Mutant {
  readonly id: string;
  readonly kind: string;
  readonly file: string;
  readonly what: string;
  readonly runs: boolean;
  readonly outcome: "built" | "refused" | "no-change" | "does-not-compile" | "crashed";
  /** Of the refusals, or of the error. */
  readonly codes: readonly string[];
  /** The first refusal's sentence. */
  readonly said: string;
  /** Functions patched. */
  readonly funcs: number;
  readonly seconds: number;
  /** What the audit found. */
  readonly findings: readonly { readonly kind: string; readonly what: string }[];
  readonly guest?: GuestOutcome | undefined;
  /** Of suture, with which it was made. */
  readonly commit?: string | undefined;
}

export interface GuestOutcome {
  /** `held`: a task kept the transition from ending, which is no fault; `unsafe`: anything else that went wrong. */
  readonly kind: "fine" | "held" | "unsafe";
  readonly wrong: readonly string[];
}

export interface MutantOptions {
  readonly release: string;
  /** The kernel's source. */
  readonly tree: string;
  readonly directory: string;
  readonly cache: Cache;
}

export interface Place {
  readonly id: string;
  readonly file: string;
  /** The second file, where two are changed. */
  readonly other: string | undefined;
  readonly mutation: Mutation;
  readonly mutated: Mutated;
}

export function livepatchPath(directory: string, id: string): string {
  return join(directory, `mutant_${id}.ko`);
}

export async function tryMutant(place: Place, options: MutantOptions): Promise<Mutant> {
  const { id, file, other, mutation, mutated } = place;
  const { directory, release, tree, cache } = options;
  mkdirSync(directory, { recursive: true });
  const diff = diffOf(tree, file, mutated.text) + (other === undefined ? "" : diffOf(tree, other, mutated.other ?? ""));
  writeFileSync(diffPath(directory, id), diff, "latin1");
  const diffs = [{ name: `mutant_${id}.patch`, data: Buffer.from(diff, "latin1") }];
  const kernel = { kind: "release", release } as const;
  const rest = { strip: undefined, jobs: 1, cache, progress: silentProgress, signal: undefined };
  const known = {
    id,
    kind: mutation.kind,
    file,
    what: mutated.what,
    runs: mutation.runs,
    funcs: 0,
    said: "",
    findings: [],
  };
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 10) / 100;
  try {
    const output = livepatchPath(directory, id);
    const result = await buildKernelLivepatch({ ...rest, diffs, kernel, output, name: `mutant_${id}`, replace: false });
    if (result.kind === "no-change") {
      const findings = await unseenChanges(diffs, { kernel, ...rest });
      return { ...known, outcome: "no-change", codes: [], findings, seconds: seconds() };
    }
    if (result.kind === "refused") {
      const codes = [...new Set(result.refusals.map(({ code }) => code))].sort();
      const outcome = codes.includes("DOES_NOT_COMPILE") ? "does-not-compile" : "refused";
      return { ...known, outcome, codes, said: result.refusals[0]?.what ?? "", seconds: seconds() };
    }
    const built = seconds();
    return { ...known, outcome: "built", codes: [], ...(await auditMutant(id, options)), seconds: built };
  } catch (error) {
    const code = error instanceof SutureError ? error.code : "INTERNAL";
    const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { ...known, outcome: "crashed", codes: [code], said, seconds: seconds() };
  }
}

/** A livepatch that was built and kept, looked at again. Throws what an audit throws. */
export async function auditMutant(
  id: string,
  { directory, release, cache }: MutantOptions,
): Promise<Pick<Mutant, "funcs" | "findings">> {
  const path = livepatchPath(directory, id);
  const livepatch = readSealed(readFileSync(path), path);
  const metadata = readMetadata(livepatch);
  const { findings } = await auditKernelLivepatch({
    livepatch,
    metadata,
    diffs: [{ name: `mutant_${id}.patch`, data: readFileSync(diffPath(directory, id)) }],
    kernel: { kind: "release", release },
    strip: undefined,
    jobs: 1,
    cache,
    progress: silentProgress,
    signal: undefined,
  });
  return {
    funcs: metadata.objects.reduce((sum, { funcs }) => sum + funcs.length, 0),
    findings: findings.map(({ kind, what }) => ({ kind, what })),
  };
}

function diffPath(directory: string, id: string): string {
  return join(directory, `mutant_${id}.patch`);
}

function diffOf(tree: string, file: string, mutated: string): string {
  const text = readFileSync(join(tree, file), "latin1");
  return createTwoFilesPatch(`a/${file}`, `b/${file}`, text, mutated, undefined, undefined, {
    context: 3,
    headerOptions: FILE_HEADERS_ONLY,
  });
}
