/** From a kernel, running or not, to one livepatch of all fixes of a series that it can get. */

import type { PatchingMetadata } from "../../fixes/cumulative.ts";
import type { NamedPatch } from "../../fixes/named-patch.ts";
import type { Problem } from "../../lib/error.ts";
import type { PatchMetadata } from "../../patch/metadata.ts";
import type { KernelChoice } from "../../provider/kernel/kernel.ts";
import { buildKernelLivepatch } from "../../subject/kernel/build.ts";
import { openKernel } from "../../subject/kernel/open-kernel.ts";
import { rulesOf } from "../../subject/kernel/units/file-rules.ts";
import { forecast } from "../../targets/kernel/forecast.ts";
import { kernelState } from "../../targets/kernel/look.ts";
import { type CatchUpOptions, type CaughtUp, catchUpPrefix, catchUpSeries } from "./catch-up-series.ts";

/** Of the livepatches for kernels. */
export const KERNEL_PREFIX: string = catchUpPrefix("linux");

/** A kernel, and what it can get. */
export interface KernelCaughtUp extends CaughtUp<PatchMetadata> {
  readonly release: string;
  /** Of its package. */
  readonly version: string;
  /** Whether it is the one that runs. */
  readonly isRunning: boolean;
}

/** The fixes, and why some are not to be tried, by name. */
export interface KernelSeries {
  readonly series: readonly NamedPatch[];
  readonly barred?: ReadonlyMap<string, Problem> | undefined;
}

/** Why the kernel that runs would never switch to it. Nothing is changed; only root sees what tasks are inside of. */
export async function kernelObjection(
  { objects }: Pick<PatchingMetadata, "objects">,
  root = "/",
): Promise<Problem | undefined> {
  const patched = objects.flatMap(({ name: object, funcs }) => funcs.map(({ name }) => ({ object, name })));
  const [thread] = (await forecast(root, patched)).never;
  if (thread === undefined) return undefined;
  const what = `${thread.name} (${thread.tid}) is ${thread.why}: the transition would not end`;
  return { code: "TRANSITION_MAY_NOT_END", what, where: thread.inside?.name, hint: thread.help };
}

/** @param seriesOf the series for that version of the kernel. Throws what getting the kernel and building throw that is not about a fix. */
export async function catchUpKernel(
  choice: KernelChoice,
  seriesOf: (version: string) => Promise<KernelSeries>,
  options: CatchUpOptions,
): Promise<KernelCaughtUp> {
  const kernel = await openKernel(choice, options);
  const { release, version, source, buildId, leftOut } = kernel;
  const rules = rulesOf(kernel);
  const isLeftOut = (path: string): boolean => leftOut.some((part) => path.startsWith(`${part}/`));
  const state = await kernelState();
  const isRunning = state.name === `Linux ${release}`;
  // A cumulative one takes all others away, whoever made them.
  const replace = !isRunning || state.patches.every(({ name }) => name.startsWith(KERNEL_PREFIX));
  const { series, barred } = await seriesOf(version);
  const caughtUp = await catchUpSeries<PatchMetadata>(
    series,
    {
      barred,
      tree: source,
      isPassedOver: (path) => isLeftOut(path) || rules.note(path, rules.kindOf(path)) !== undefined,
      // Documentation, and programs of other packages.
      isBeside: () => true,
      prefix: KERNEL_PREFIX,
      suffix: ".ko",
      base: buildId,
      replace,
      objection: isRunning ? async ({ metadata }) => await kernelObjection(metadata) : undefined,
      build: (diffs, name, output) =>
        buildKernelLivepatch({ ...options, kernel: choice, diffs, name, output, strip: undefined, replace }),
    },
    options,
  );
  return { ...caughtUp, release, version, isRunning };
}
