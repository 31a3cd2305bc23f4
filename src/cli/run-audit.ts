import { availableParallelism } from "node:os";
import { type Audit, auditKernelLivepatch } from "../audit/audit.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { readSealed } from "../patch/digest.ts";
import { isForProgram, metadataJson } from "../patch/metadata-section.ts";
import { readMetadata } from "../patch/read-metadata.ts";
import type { KernelChoice } from "../provider/kernel/kernel.ts";
import { type DiffText, MAX_DIFF_BYTES } from "../source/diffs/diff-parse.ts";
import type { ProgramChoice } from "../subject/program/open-program.ts";
import type { Context } from "./command.ts";
import { usage } from "./usage.ts";

/** What was typed, before anything is read. */
export interface AuditChoice {
  readonly livepatch: string;
  /** Paths; `-` is standard input. */
  readonly diffs: readonly string[];
  readonly strip: number | undefined;
  readonly jobs: number | undefined;
  /** Default: the one that the livepatch says it was made for. */
  readonly kernel: KernelChoice | undefined;
  readonly program: ProgramChoice | undefined;
}

/**
 * Which kind the livepatch is decides its file: of one for a program `kernel` is not
 * looked at. Throws `USAGE` where `program` is missing then, what reading the files
 * throws, and what the audits throw.
 */
export async function runAudit(choice: AuditChoice, context: Context): Promise<Audit> {
  const { cache, progress, signal } = context;
  const file = readSealed(await readGivenFile(choice.livepatch, { signal }), choice.livepatch);
  const diffs: DiffText[] = [];
  for (const path of choice.diffs) {
    const data = await readGivenFile(path, { signal, maxBytes: MAX_DIFF_BYTES });
    diffs.push({ name: path === "-" ? "stdin" : path, data });
  }
  const rest = {
    livepatch: file,
    diffs,
    strip: choice.strip,
    jobs: choice.jobs ?? availableParallelism(),
    cache,
    progress,
    signal,
  };
  if (isForProgram(metadataJson(file))) {
    if (choice.program === undefined)
      throw usage("a livepatch for a program needs --package NAME or --compile-commands FILE", "audit");
    const { auditProgramLivepatch } = await import("../audit/program.ts");
    const { readProgramMetadata } = await import("../patch/read-program-metadata.ts");
    return await auditProgramLivepatch({ ...rest, metadata: readProgramMetadata(file), program: choice.program });
  }
  const metadata = readMetadata(file);
  const kernel: KernelChoice = choice.kernel ?? { kind: "release", release: metadata.kernel.release };
  const audit = await auditKernelLivepatch({ ...rest, metadata, kernel });
  progress.done();
  return audit;
}
