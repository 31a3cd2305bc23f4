import { availableParallelism } from "node:os";
import { type Audit, auditKernelLivepatch } from "../audit/audit.ts";
import type { KernelChoice } from "../build/kernel.ts";
import type { ProgramChoice } from "../build/program/open-program.ts";
import { readElf } from "../elf/read.ts";
import { isForProgram, metadataJson } from "../patch/metadata-section.ts";
import { readMetadata } from "../patch/read-metadata.ts";
import type { Context } from "./command.ts";
import { readInput } from "./input.ts";
import { usage } from "./usage.ts";

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

export async function runAudit(choice: AuditChoice, context: Context): Promise<Audit> {
  const { cache, progress, signal } = context;
  const file = readElf(readInput(choice.livepatch), choice.livepatch);
  const rest = {
    livepatch: file,
    diffs: choice.diffs.map((path) => ({ name: path === "-" ? "stdin" : path, data: readInput(path) })),
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
  const kernel: KernelChoice = choice.kernel ?? { kind: "debian", release: metadata.kernel.release };
  const audit = await auditKernelLivepatch({ ...rest, metadata, kernel });
  progress.done();
  return audit;
}
