/** A second opinion on every livepatch of a run. */
import { existsSync, readFileSync } from "node:fs";
import { auditKernelLivepatch } from "../../src/audit/audit.ts";
import { mapParallel } from "../../src/lib/parallel.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { readSealed } from "../../src/patch/digest.ts";
import { readMetadata } from "../../src/patch/read-metadata.ts";
import type { BenchKernel } from "./bench-kernel.ts";
import { type AuditResult, livepatchOf } from "./row.ts";
import type { Rows } from "./table.ts";

export async function auditAll(kernel: BenchKernel, rows: Rows, jobs: number, say: (text: string) => void) {
  const built = rows.all().filter((row) => row.audit === undefined && existsSync(livepatchOf(row) ?? ""));
  let done = 0;
  await mapParallel(built, jobs, async (row) => {
    const audit = await auditOf(kernel, livepatchOf(row) as string);
    rows.update(row.file, { audit });
    say(`${++done}/${built.length} ${row.file}: ${audit.differences} differences, ${audit.findings.length} found`);
    for (const { kind, what } of audit.findings) say(`    ${kind}: ${what}`);
  });
}

/** The diff lies beside the livepatch, under its name. */
async function auditOf({ release, cache }: BenchKernel, path: string): Promise<AuditResult> {
  const livepatch = readSealed(readFileSync(path), path);
  const { accounted, findings } = await auditKernelLivepatch({
    livepatch,
    metadata: readMetadata(livepatch),
    diffs: [{ name: path, data: readFileSync(path.replace(/\.ko$/, ".patch")) }],
    strip: undefined,
    kernel: { kind: "release", release },
    cache,
    progress: silentProgress,
    signal: undefined,
    jobs: 1,
  });
  return { differences: accounted.length, findings: findings.map(({ kind, what }) => ({ kind, what })) };
}
