/** From a configured source tree and an image to a ready kernel's directory. */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Compiler } from "../toolchain/compiler.ts";
import { makeGeneratedFiles } from "./generated-files.ts";
import { openKbuild } from "./kbuild.ts";
import { walkKbuild } from "./kbuild-walk.ts";
import { KERNEL_FORMAT, type KernelRecord } from "./kernel.ts";
import { writeUnits } from "./units-file.ts";

/** Below a ready kernel's directory: its `KernelRecord`, as JSON. */
export const RECORD_FILE = "kernel.json";

/** Completes a tree by the files that a build would generate, and writes down how each unit is compiled. */
export async function prepareTree(
  tree: string,
  units: string,
  compiler: Compiler,
  signal?: AbortSignal,
): Promise<{ readonly notMade: readonly string[] }> {
  const jobs = availableParallelism();
  const kbuild = await openKbuild(tree, compiler, signal);
  const walk = await walkKbuild(kbuild, jobs, signal);
  await writeUnits(units, walk.units);
  return { notMade: await makeGeneratedFiles(kbuild, walk.generated, jobs, signal) };
}

/** Writes kernel.json: the last step, after which the directory is a ready kernel. */
export async function writeRecord(
  directory: string,
  record: Omit<KernelRecord, "format" | "identity">,
  madeFrom: readonly string[],
): Promise<void> {
  const hash = createHash("sha256");
  for (const part of [String(KERNEL_FORMAT), record.release, record.version, record.buildId, ...madeFrom]) {
    hash.update(`${part.length}:${part}`);
  }
  const whole: KernelRecord = { format: KERNEL_FORMAT, identity: hash.digest("hex"), ...record };
  await writeFile(join(directory, RECORD_FILE), `${JSON.stringify(whole, undefined, 2)}\n`);
}
