import type { PatchMetadata } from "../patch/metadata.ts";
import { buildKernelLivepatch, type KernelBuildRequest } from "../subject/kernel/build.ts";
import { type BuildChoice, noteLines, outcomeOf, requestFrom } from "./build-outcome.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { shortestPath } from "./shortest-path.ts";

/** What was typed for a livepatch of a kernel. */
export interface BuildOptions extends BuildChoice, Pick<KernelBuildRequest, "kernel"> {}

/**
 * Builds, and puts the result into words: exit code 2 with the refusals, 3 where the
 * diff changes no code. Throws what reading the diffs and building throw.
 */
export async function runBuild(options: BuildOptions, context: Context): Promise<Outcome<Json<"build">>> {
  const result = await buildKernelLivepatch({
    ...options,
    ...(await requestFrom(options, filesOf(options.kernel), context)),
  });
  return outcomeOf(result, "this kernel", builtLines);
}

function filesOf(kernel: BuildOptions["kernel"]): string[] {
  return kernel.kind === "custom" ? [kernel.vmlinux] : [];
}

function builtLines(path: string, patch: PatchMetadata, seconds: number): string[] {
  const patched = patch.objects.flatMap(({ name, funcs, callbacks, values = [] }) =>
    funcs.length > 0
      ? funcs.map((func) => `${func.name} (${name})`)
      : [`no function of ${name}: ${[...values, ...callbacks].join(", ")}`],
  );
  const proved = patch.proofs.reduce((sum, proof) => sum + proof.proved, 0);
  return [
    `wrote ${shortestPath(path)} for Linux ${patch.kernel.release} in ${seconds.toFixed(2)} s`,
    `  patches ${patched.join(", ")}`,
    `  ${proved} functions of the original proved equal to the shipped code`,
    ...noteLines(patch.notes, patch.leftOut),
  ];
}
