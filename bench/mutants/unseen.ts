/** What a build that says "no change of code" has not seen: its differences, as the plain comparer finds them. */
import { readFileSync } from "node:fs";
import { accountFor, unaccountedFinding } from "../../src/audit/account.ts";
import { compareObjects } from "../../src/audit/compare.ts";
import { type PlainOptions, plainKernelPairs } from "../../src/audit/kernel-units.ts";
import { lineNumbersOf } from "../../src/audit/line-numbers.ts";
import type { KernelLayouts } from "../../src/btf/kernel-layouts.ts";
import type { KernelChoice } from "../../src/provider/kernel/kernel.ts";
import { unitsOf } from "../../src/provider/kernel/units-file.ts";
import { findCompiler } from "../../src/provider/toolchain/compiler.ts";
import { readDiffs } from "../../src/source/diffs/diff-input.ts";
import type { DiffText } from "../../src/source/diffs/diff-parse.ts";
import { openKernel } from "../../src/subject/kernel/open-kernel.ts";
import { kernelRules } from "../../src/subject/kernel/units/file-rules.ts";

interface Request extends PlainOptions {
  readonly kernel: KernelChoice;
  readonly strip: number | undefined;
}

/** What the kernel itself has for its end is not in it, and is no change. */
export async function unseenChanges(
  diffs: readonly DiffText[],
  request: Request,
): Promise<{ readonly kind: string; readonly what: string }[]> {
  const { cache, progress, signal, strip } = request;
  const kernel = await openKernel(request.kernel, { cache, progress, signal });
  const isUnit = async (path: string) => (await unitsOf(kernel, path)).length > 0;
  const input = await readDiffs(diffs, {
    tree: kernel.source,
    isUnit,
    leftOut: kernel.leftOut,
    strip,
    rules: kernelRules(kernel.arch.kernel.sources),
  });
  const compiler = await findCompiler(kernel, cache, signal);
  const pairs = await plainKernelPairs({ kernel, compiler }, input, request);
  const { entrySizes } = JSON.parse(readFileSync(kernel.layouts, "utf8")) as KernelLayouts;
  const lines = lineNumbersOf(input.files);
  const claims = {
    metadata: { leftOut: [], fates: [] },
    objects: [],
    effects: { redirects: nothing, writes: nothing, overwrites: nothing, grants: nothing },
    isRunning: nothing,
    hasCode: nothing,
    binds: nothing,
    gathered: { hasSection: nothing, hasEntry: nothing },
  };
  return pairs.flatMap(({ source, objects, original, patched }) => {
    const comparison = compareObjects(original, patched, entrySizes, lines);
    const isModule = objects.length > 0 && !objects.includes("vmlinux");
    const { unaccounted, findings } = accountFor({ source, isModule, comparison }, claims);
    return [...unaccounted.map((difference) => unaccountedFinding(source, difference)), ...findings]
      .filter(({ section }) => isModule || !/^\.exit(\.|call)/.test(section))
      .map(({ kind, what }) => ({ kind, what }));
  });
}

const nothing = (): boolean => false;
