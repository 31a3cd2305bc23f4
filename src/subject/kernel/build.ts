/** The whole way from source diffs to a livepatch for a kernel. */
import { buildLivepatch } from "../../builder/build.ts";
import type { LivepatchRequest, LivepatchResult } from "../../builder/request.ts";
import { Stopwatch } from "../../builder/stopwatch.ts";
import type { PatchMetadata } from "../../patch/metadata.ts";
import type { KernelChoice } from "../../provider/kernel/kernel.ts";
import { findCompiler } from "../../provider/toolchain/compiler.ts";
import { unlessDamaged } from "./kernel-damage.ts";
import { kernelSubject } from "./kernel-subject.ts";
import { openKernel } from "./open-kernel.ts";

/** What a kernel's livepatch is built from. */
export interface KernelBuildRequest extends LivepatchRequest {
  readonly kernel: KernelChoice;
}

/** With the metadata that the livepatch carries, where it was built. */
export type KernelBuildResult = LivepatchResult<PatchMetadata>;

/** Throws what `openKernel`, `findCompiler` and `buildLivepatch` throw. */
export async function buildKernelLivepatch(request: KernelBuildRequest): Promise<KernelBuildResult> {
  const run = { ...request, watch: new Stopwatch() };
  const kernel = await openKernel(request.kernel, request);
  return await unlessDamaged(
    kernel,
    async () => {
      const compiler = await findCompiler(kernel, request.cache, request.signal);
      return await buildLivepatch(kernelSubject(kernel, compiler, run), request, run);
    },
    ({ kind }) => kind === "built",
  );
}
