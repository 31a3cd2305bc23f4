/**
 * A small kernel of one's own, as its makefile builds it with gcc and with clang: small
 * changes of many shapes, and one of a module out of its tree, each built by the
 * directory that make has left, audited, and rehearsed.
 *
 *   node bench/own-kernel.ts [--kernel RELEASE] [--cc NAME]... [--directory CC=DIR]... [--shape WORDS]
 *
 * The source is that of a stock kernel's packages. With --directory what was built there by that compiler is
 * taken as it is. With --shape only shapes whose name has these words are tried, and no results are kept.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createTwoFilesPatch } from "diff";
import { auditKernelLivepatch } from "../src/audit/audit.ts";
import { Cache } from "../src/lib/cache.ts";
import { silentProgress } from "../src/lib/progress.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import { readSealed } from "../src/patch/digest.ts";
import type { Kernel, KernelChoice } from "../src/provider/kernel/kernel.ts";
import { rehearseMany } from "../src/rehearse/batch.ts";
import { rehearse } from "../src/rehearse/rehearse.ts";
import type { RehearsalResult } from "../src/rehearse/result.ts";
import type { DiffText } from "../src/source/diffs/diff-parse.ts";
import { buildKernelLivepatch } from "../src/subject/kernel/build.ts";
import { openKernel } from "../src/subject/kernel/open-kernel.ts";
import { pairDiff, writePair } from "../test/fixtures/pair-module.ts";
import { type Machine, machine } from "./machine.ts";
import { buildModule, builtKernel, COMPILERS, type CompilerName, unpackedSource } from "./own-kernel/own-kernel.ts";
import { SHAPES, type Shape } from "./own-kernel/shapes.ts";

/** What one change came to. */
export interface ShapeRow {
  readonly name: string;
  /** `built`, `no-change`, or the codes of the refusals. */
  readonly outcome: string;
  /** What the audit found that is not accounted for; undefined where nothing was built. */
  readonly findings?: readonly string[];
  /** What was wrong in the virtual machine. */
  readonly wrong?: readonly string[];
}

/** One kernel. */
export interface OwnKernelRow {
  readonly cc: CompilerName;
  /** CONFIG_CC_VERSION_TEXT. */
  readonly compiler: string;
  readonly release: string;
  /** Until it was ready, once make had built it. */
  readonly readySeconds: number;
  readonly shapes: readonly ShapeRow[];
  /** A change of a module that is not of its tree. */
  readonly module: ShapeRow;
  /** Functions of the files that were built, and of them those that differ from what runs. */
  readonly functions: { readonly proved: number; readonly differing: number };
}

export interface OwnKernelResults {
  readonly kernels: readonly OwnKernelRow[];
  readonly machine: Machine;
}

const { values } = parseArgs({
  options: {
    kernel: { type: "string", default: "6.1.0-57-cloud-amd64" },
    cc: { type: "string", multiple: true, default: Object.keys(COMPILERS) },
    directory: { type: "string", multiple: true, default: [] },
    shape: { type: "string" },
  },
});
const cache = new Cache();
const options = { cache, progress: silentProgress, signal: undefined, jobs: 2 };
const say = (text: string): void => void process.stdout.write(`${text}\n`);

await using temporary = await temporaryDirectory();
const given = new Map(values.directory.map((word) => word.split("=", 2) as [string, string]));
let source: string | undefined;
const rows: OwnKernelRow[] = [];
for (const cc of values.cc as CompilerName[]) {
  let directory = given.get(cc);
  if (directory === undefined) {
    source ??= await unpackedSource(values.kernel, temporary.path);
    say(`${cc}: make`);
    directory = builtKernel(source, cc, temporary.path);
  }
  rows.push(await tried(cc, resolve(directory)));
}
if (values.shape === undefined) {
  const results: OwnKernelResults = { kernels: rows, machine: machine("") };
  writeFileSync(new URL("./results/own-kernel.json", import.meta.url), `${JSON.stringify(results, undefined, 2)}\n`);
}
process.exitCode = rows.every(isGood) ? 0 : 1;

function isGood({ shapes, module }: OwnKernelRow): boolean {
  const expected = (row: ShapeRow): boolean => {
    const code = SHAPES.find(({ name }) => name === row.name)?.refused;
    return code === undefined ? row.outcome === "built" : row.outcome.split(" ").includes(code);
  };
  return [...shapes, module].every((row) => expected(row) && !row.findings?.length && !row.wrong?.length);
}

async function tried(cc: CompilerName, directory: string): Promise<OwnKernelRow> {
  const choice = { kind: "build", directory } as const;
  const begun = performance.now();
  const kernel = await openKernel(choice, options);
  const readySeconds = Math.round((performance.now() - begun) / 100) / 10;
  say(`${cc}: Linux ${kernel.release} by ${kernel.compilerText}, ready in ${readySeconds} s`);
  const at = join(temporary.path, `${cc}-livepatches`);
  mkdirSync(at, { recursive: true });
  const functions = { proved: 0, differing: 0 };
  const shapes = SHAPES.filter(({ name }) => name.includes(values.shape ?? ""));
  const done: (ShapeRow & { readonly path?: string })[] = [];
  for (const [i, shape] of shapes.entries()) {
    const path = join(at, `shape_${i}.ko`);
    const row = await built(shape.name, choice, diffOf(shape, kernel), path, functions);
    say(`${cc}: ${row.name}: ${row.outcome}${(row.findings ?? []).map((it) => `\n    ${it}`).join("")}`);
    done.push(row.outcome === "built" ? { ...row, path } : row);
  }
  const paths = done.flatMap(({ path }) => path ?? []);
  const results = await rehearseMany(guestOf(kernel), paths, { logs: join(at, "logs"), layouts: layoutsOf(kernel) });
  const wrongOf = new Map(results.map((result, i) => [paths[i], wrongIn(result)]));
  const rehearsed = done.map(({ path, ...row }) =>
    path === undefined ? row : { ...row, wrong: wrongOf.get(path) ?? [] },
  );
  for (const { name, wrong } of rehearsed) for (const it of wrong ?? []) say(`${cc}: ${name}: ${it}`);
  const module = await triedModule(cc, directory, at, functions);
  say(`${cc}: ${JSON.stringify(module)}`);
  const { compilerText: compiler, release } = kernel;
  return { cc, compiler, release, readySeconds, shapes: rehearsed, module, functions };
}

async function triedModule(
  cc: CompilerName,
  kernelDirectory: string,
  at: string,
  functions: OwnKernelRow["functions"],
): Promise<ShapeRow> {
  const directory = join(at, "pair");
  writePair(directory);
  buildModule(kernelDirectory, cc, directory);
  const choice = { kind: "module-source", directory, kernel: { kind: "build", directory: kernelDirectory } } as const;
  const diff = pairDiff(
    ["include/pair.h", "pair->left + pair->right", "pair->left + pair->right + 100"],
    ["sub/pair_more.c", "calls++ == 0", "calls++ < 5"],
  );
  const livepatch = join(at, "pair.ko");
  const row = await built("a module out of the kernel's tree", choice, diff, livepatch, functions);
  if (row.outcome !== "built") return row;
  const after = join(at, "after.sh");
  writeFileSync(after, 'grep -qx "the pair 131" /proc/suture_pair');
  const kernel = await openKernel(choice, options);
  const log = join(at, "pair.log");
  const result = await rehearse({ kernel: guestOf(kernel), livepatch, after, layouts: layoutsOf(kernel), log });
  return { ...row, wrong: wrongIn(result) };
}

function guestOf({ arch, release, vmlinuz, modules }: Kernel) {
  if (vmlinuz === undefined) throw new Error(`${release} has no image that boots`);
  return { arch, release, image: vmlinuz, modules };
}

/** By which the guest's memory is looked at, where it can be seen. */
function layoutsOf(kernel: Kernel): string | undefined {
  return kernel.config().get("PROC_KCORE") === "y" ? kernel.layouts : undefined;
}

function diffOf({ name, edits }: Shape, kernel: Kernel): DiffText[] {
  const texts = new Map<string, readonly [before: string, after: string]>();
  for (const { file, from, to } of edits) {
    const before = texts.get(file)?.[0] ?? readFileSync(join(kernel.source, file), "utf8");
    const text = texts.get(file)?.[1] ?? before;
    if (!text.includes(from)) throw new Error(`${name}: ${file} does not have ${JSON.stringify(from)}`);
    texts.set(file, [before, text.replace(from, () => to)]);
  }
  const parts = [...texts].map(([file, [before, after]]) =>
    createTwoFilesPatch(`a/${file}`, `b/${file}`, before, after),
  );
  return [{ name: "shape.patch", data: Buffer.from(parts.join("")) }];
}

/** Built and audited. */
async function built(
  name: string,
  kernel: KernelChoice,
  diffs: readonly DiffText[],
  output: string,
  functions: { proved: number; differing: number },
): Promise<ShapeRow> {
  const rest = { strip: undefined, name: undefined, patchVersion: undefined, replace: true };
  const result = await buildKernelLivepatch({ ...options, ...rest, kernel, diffs, output });
  if (result.kind === "no-change") return { name, outcome: "no-change" };
  if (result.kind === "refused") {
    for (const { code, what } of result.refusals) if (values.shape !== undefined) say(`    ${code}: ${what}`);
    return { name, outcome: [...new Set(result.refusals.map(({ code }) => code))].join(" ") };
  }
  for (const { proved, differing } of result.metadata.proofs) {
    functions.proved += proved;
    functions.differing += differing.length;
  }
  const livepatch = readSealed(readFileSync(output), output);
  const { metadata } = result;
  const { findings } = await auditKernelLivepatch({ ...options, livepatch, metadata, diffs, strip: undefined, kernel });
  return { name, outcome: "built", findings: findings.map(({ kind, what }) => `${kind}: ${what}`) };
}

function wrongIn(result: RehearsalResult): string[] {
  if (result.kind === "refused") return [result.refusal.what];
  return [
    ...result.steps.filter(({ ok }) => !ok).map(({ boot, name, detail }) => `${boot}: ${name}: ${detail ?? ""}`),
    ...result.findings.map(({ boot, line }) => `${boot}: ${line}`),
  ];
}
