/** Every livepatch of a run, tried in virtual machines with the stock kernel. */
import { join } from "node:path";
import { rehearseMany } from "../../src/rehearse/batch.ts";
import type { RehearsalResult } from "../../src/rehearse/result.ts";
import type { BenchKernel } from "./bench-kernel.ts";
import { livepatchOf, type VmResult } from "./row.ts";
import type { Rows } from "./table.ts";

export async function rehearseAll(kernel: BenchKernel, rows: Rows, directory: string, say: (text: string) => void) {
  const { release, vmlinuz, modules } = kernel.kernel;
  if (vmlinuz === undefined) throw new Error(`${release} has no image that boots`);
  const fileOf = new Map<string, string>();
  for (const row of rows.all()) {
    const path = livepatchOf(row);
    if (path !== undefined && row.vm === undefined) fileOf.set(path, row.file);
  }
  let done = 0;
  await rehearseMany({ release, image: vmlinuz, modules }, [...fileOf.keys()], {
    logs: join(directory, "logs"),
    onResult(path, result) {
      const file = fileOf.get(path);
      if (file === undefined) return;
      const vm = vmResultOf(result);
      rows.update(file, { vm });
      say(`${++done}/${fileOf.size} ${file}: ${vm.kind} ${vm.wrong.join("; ")}`);
    },
  });
}

function vmResultOf(result: RehearsalResult): VmResult {
  if (result.kind === "refused")
    return { kind: "failed", unloadable: [], wrong: [result.refusal.what], transitionSeconds: undefined };
  const wrong = [
    ...result.steps.filter(({ ok }) => !ok).map(({ boot, name, detail }) => `${boot}: ${name}: ${detail ?? ""}`),
    ...result.findings.map(({ boot, line }) => `${boot}: ${line}`),
  ];
  return {
    kind: result.ok ? "patched" : "failed",
    unloadable: result.objects
      .filter(({ targetLoads }) => !targetLoads)
      .map(({ name, targetError }) => `${name}: ${targetError ?? ""}`),
    wrong,
    transitionSeconds: result.transitionSeconds,
  };
}
