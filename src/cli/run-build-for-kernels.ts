/** One diff for several kernels: a livepatch for each, or why there is none. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { livepatchName } from "../builder/livepatch-name.ts";
import type { Cache } from "../lib/cache.ts";
import { EXIT, type ExitCode, problemOf, SutureError } from "../lib/error.ts";
import { throwIfAborted } from "../lib/interrupt.ts";
import { checkOutput } from "../lib/replace-file.ts";
import type { KernelChoice } from "../provider/kernel/kernel.ts";
import { listKernels } from "../provider/kernel/kernel-store.ts";
import { kernelSource, releaseOf } from "../provider/registry/kernels.ts";
import { buildKernelLivepatch, type KernelBuildResult } from "../subject/kernel/build.ts";
import { columns } from "./columns.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { releaseChoice } from "./kernel-choice.ts";
import { type BuildChoice, requestOf } from "./run-build.ts";
import { shortestPath } from "./shortest-path.ts";

/** What was typed, before anything is read. */
export interface KernelsBuildChoice extends Omit<BuildChoice, "patched"> {
  /** Releases, `running` or `ready`, two or more in all that they stand for, or none. */
  readonly kernels: readonly string[];
}

type ForKernels = Extract<Json<"build">, { readonly kind: "kernels" }>;
type ForOne = ForKernels["kernels"][number];

/**
 * Builds for one kernel after the other, each whatever becomes of the others. The exit
 * code is the first of these that one of them ends with: 1 for an error, 2 for a
 * refusal, 0 for a livepatch; 3 where the diff concerns none of them.
 * Throws what reading the diffs throws, `USAGE` where no kernel is ready, and an interruption.
 */
export async function runBuildForKernels(
  { kernels: named, output: directory = ".", ...choice }: KernelsBuildChoice,
  context: Context,
): Promise<Outcome<Json<"build">>> {
  const request = { ...choice, ...(await requestOf(choice, context)) };
  await checkDirectory(directory);
  const name = livepatchName({ ...request, output: undefined });
  const kernels: ForOne[] = [];
  for (const kernel of await choices(named, context)) {
    const release = releaseOf(kernel);
    const output = join(directory, `${name.replaceAll("_", "-")}-${release}.ko`);
    context.progress.step(release);
    const build = async () => {
      // What is no name of a release is none of a file.
      await kernelSource(kernel);
      await checkOutput(output, choice.diffs);
      return await buildKernelLivepatch({ ...request, name, kernel, output });
    };
    kernels.push({ release, ...(await resultOf(build)) });
    throwIfAborted(context.signal);
  }
  return { exit: exitOf(kernels), json: { kind: "kernels", kernels }, lines: columns(kernels.map(rowOf)) };
}

async function checkDirectory(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return;
  throw new SutureError("USAGE", "for several kernels --output names a directory that is there", { where: path });
}

/** Each kernel once, in the order of their names on the command line. */
async function choices(
  words: readonly string[],
  { cache }: Context,
): Promise<(KernelChoice & { readonly kind: "release" | "running" })[]> {
  const all = new Map<string, KernelChoice & { readonly kind: "release" | "running" }>();
  for (const word of words) {
    const meant = word === "ready" ? await readyReleases(cache) : [word];
    if (meant.length === 0)
      throw new SutureError("USAGE", "no kernel is ready", { hint: "suture kernel fetch RELEASE makes one ready" });
    for (const choice of meant.map(releaseChoice)) all.set(releaseOf(choice), choice);
  }
  return [...all.values()];
}

/** One of a user's own is not known by its release: it is named by its directory. */
async function readyReleases(cache: Cache): Promise<string[]> {
  return (await listKernels(cache)).filter((kernel) => !kernel.sourceMayChange).map(({ release }) => release);
}

async function resultOf(build: () => Promise<KernelBuildResult>): Promise<Omit<ForOne, "release">> {
  try {
    return { result: await build() };
  } catch (error) {
    // The source is what the diff leads to: this kernel has the fix.
    if (error instanceof SutureError && error.code === "DIFF_ALREADY_APPLIED")
      return { result: { kind: "no-change", notes: [{ code: error.code, text: error.message }] } };
    return { error: problemOf(error) };
  }
}

function exitOf(kernels: readonly ForOne[]): ExitCode {
  const kinds = kernels.map(({ result, error }) => (error === undefined ? result?.kind : "error"));
  if (kinds.includes("error")) return EXIT.environment;
  if (kinds.includes("refused")) return EXIT.refused;
  return kinds.includes("built") ? EXIT.done : EXIT.noChange;
}

function rowOf({ release, result, error }: ForOne): string[] {
  if (error !== undefined) return [release, "error", `${error.code}: ${error.what}`];
  switch (result?.kind) {
    case "built":
      return [release, "built", shortestPath(result.path)];
    case "refused": {
      const [first, ...more] = result.refusals;
      const rest = more.length === 0 ? "" : ` (and ${more.length} more)`;
      return [release, "refused", `${first?.code}: ${first?.what}${rest}`];
    }
    default:
      return [release, "not affected", result?.notes.map(({ text }) => text).join("; ") || "no code is changed"];
  }
}
