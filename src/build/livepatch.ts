/** The whole way from source diffs to a livepatch for a kernel. */
import { basename, resolve } from "node:path";
import { hasCallbacks } from "../diff/selection.ts";
import type { Cache } from "../lib/cache.ts";
import type { Progress } from "../lib/progress.ts";
import { replaceFile } from "../lib/replace-file.ts";
import { VERSION } from "../lib/version.ts";
import { METADATA_VERSION, type Note, type PatchMetadata } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { affectedUnits } from "./affected-units.ts";
import { findCompiler } from "./compiler.ts";
import { readDiffs } from "./diff-input.ts";
import type { DiffText } from "./diff-parse.ts";
import type { UnitDiff } from "./examine-pair.ts";
import type { KernelChoice } from "./kernel.ts";
import { openKernel } from "./kernels.ts";
import { linkTarget } from "./link-target.ts";
import { Stopwatch } from "./stopwatch.ts";
import { diffUnitsOf } from "./unit-diffs.ts";
import { unitsOf } from "./units-file.ts";

export interface BuildRequest {
  readonly kernel: KernelChoice;
  readonly diffs: readonly DiffText[];
  /** Leading directories of the diffs' names to drop; found out by default. */
  readonly strip: number | undefined;
  /** Path of the livepatch; default: `<name>.ko` in the working directory. */
  readonly output: string | undefined;
  /** Default: from the first diff's name. */
  readonly name: string | undefined;
  /** Whether the livepatch replaces all that are loaded. */
  readonly replace: boolean;
  /** How many compilers run at a time. */
  readonly jobs: number;
  readonly cache: Cache;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

export type BuildResult =
  | {
      readonly kind: "built";
      readonly path: string;
      readonly metadata: PatchMetadata;
      /** Seconds, by step. */
      readonly seconds: Readonly<Record<string, number>>;
    }
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[]; readonly leftOut: readonly Refusal[] }
  | { readonly kind: "no-change"; readonly notes: readonly Note[] };

/**
 * Builds a livepatch. Throws SutureError for diffs that do not apply, a kernel
 * that cannot be had, a wrong compiler, a full disk, an interruption; nothing
 * is then left behind, nor is it where the result is a refusal.
 */
export async function buildLivepatch(request: BuildRequest): Promise<BuildResult> {
  const { cache, progress, signal, jobs } = request;
  const watch = new Stopwatch();
  const name = moduleNameFor(request);
  const kernel = await openKernel(request.kernel, { cache, progress, signal });
  const isUnit = async (path: string) => (await unitsOf(kernel, path)).length > 0;
  const input = await readDiffs(request.diffs, {
    tree: kernel.source,
    isUnit,
    leftOut: kernel.leftOut,
    strip: request.strip,
  });
  const compiler = await findCompiler(kernel.compilerText, cache, signal);
  const affected = await affectedUnits(kernel, input.files, { cache, compiler, jobs, progress, signal });
  const notes: Note[] = [...input.notes, ...affected.notes];
  const early = [...input.refusals, ...affected.refusals];
  if (early.length > 0) return { kind: "refused", refusals: early, leftOut: [] };
  if (affected.units.length === 0) return { kind: "no-change", notes };
  watch.lap("read");

  const outcome = await diffUnitsOf(affected.units, input.files, {
    kernel,
    compiler,
    cache,
    jobs,
    progress,
    signal,
    watch,
  });
  if (outcome.refusals.length > 0) return { kind: "refused", refusals: outcome.refusals, leftOut: outcome.leftOut };
  const patching = outcome.diffs.filter(isPatching);
  if (patching.length === 0) return nothingToPatch(outcome.diffs, outcome.leftOut, [...notes, ...outcome.notes]);

  progress.step("link");
  const { linkLivepatch } = await import("../link/livepatch.ts");
  const { linkUnit } = await import("./match/locate.ts");
  const { shipped, symvers } = outcome;
  const target = linkTarget(kernel, shipped.vmlinux, symvers, shipped.layouts);
  const linked = linkLivepatch(
    {
      name,
      description: `livepatch for Linux ${kernel.release}`,
      target,
      replace: request.replace,
      units: outcome.diffs
        .filter((it) => it.diff.selection.pieces.length > 0)
        .map(({ diff, proof, dependencies }) =>
          linkUnit({ proof, selection: diff.selection, vmlinux: shipped.vmlinux, symvers, dependencies }),
        ),
    },
    target.imports,
  );
  if (linked.refusals.length > 0) return { kind: "refused", refusals: linked.refusals, leftOut: outcome.leftOut };
  const metadata: PatchMetadata = {
    version: METADATA_VERSION,
    name,
    tool: `suture ${VERSION}`,
    kernel: { release: kernel.release, buildId: kernel.buildId, vermagic: target.vermagic },
    replace: request.replace,
    objects: linked.objects.map((object) => ({ ...object, buildId: shipped.buildId(object.name) })),
    newFunctions: linked.newFunctions,
    needs: linked.needs,
    proofs: outcome.diffs.map(({ proof }) => proof.record),
    notes: [...notes, ...outcome.notes, ...linked.notes],
    leftOut: outcome.leftOut,
  };
  const path = resolve(request.output ?? `${name.replaceAll("_", "-")}.ko`);
  const file = linked.write(Buffer.from(`${JSON.stringify(metadata, undefined, 1)}\n`));
  watch.lap("link");
  await replaceFile(path, file);
  watch.lap("write");
  progress.done();
  return { kind: "built", path, metadata, seconds: watch.seconds() };
}

function isPatching({ diff: { selection } }: UnitDiff): boolean {
  return selection.funcs.length > 0 || selection.moduleExit !== undefined || hasCallbacks(selection);
}

/** Code that no running kernel executes is no success: it would look like a fix. */
function nothingToPatch(diffs: readonly UnitDiff[], leftOut: readonly Refusal[], notes: readonly Note[]): BuildResult {
  const isWithoutEffect =
    leftOut.length > 0 || notes.some(({ code }) => code === "NEW_EXPORT") || diffs.some(changesUnseenCode);
  if (!isWithoutEffect) return { kind: "no-change", notes };
  const sources = [...new Set(diffs.map(({ diff }) => diff.patched.name))].join(", ");
  const what = "the diff changes code, and none of it is code that a running kernel executes";
  const hint =
    "a function that nothing calls yet, code that has run at boot, and what is read at load need no livepatch";
  return { kind: "refused", refusals: [refusal("NOTHING_TO_PATCH", what, sources, hint)], leftOut };
}

function changesUnseenCode({ diff }: UnitDiff): boolean {
  const isFunction = (atom: { readonly kind: string }) => atom.kind === "function";
  return (
    diff.patched.atoms.some((atom) => isFunction(atom) && !diff.pairing.originalOf.has(atom)) ||
    diff.original.atoms.some((atom) => isFunction(atom) && !diff.pairing.patchedOf.has(atom))
  );
}

/** A module's name is an identifier of the kernel's; the loader has room for 55 characters of it. */
function moduleNameFor({ name, output, diffs }: BuildRequest): string {
  const given = name ?? (output === undefined ? `livepatch-${basename(diffs[0]?.name ?? "patch")}` : basename(output));
  const bare = given.replace(/\.(ko|patch|diff|txt)$/g, "").replace(/[^A-Za-z0-9_]+/g, "_");
  return bare.slice(0, 55).replace(/_+$/, "") || "livepatch";
}
