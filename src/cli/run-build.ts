/** What `suture build` is given and says, whatever the livepatch is for. */
import { availableParallelism } from "node:os";
import type { LivepatchRequest, LivepatchResult } from "../builder/request.ts";
import { EXIT } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { checkOutput } from "../lib/replace-file.ts";
import type { Note, PatchMetadata } from "../patch/metadata.ts";
import type { ProgramMetadata } from "../patch/program-metadata.ts";
import type { Refusal } from "../patch/refusal.ts";
import type { KernelChoice } from "../provider/kernel/kernel.ts";
import { type DiffText, MAX_DIFF_BYTES } from "../source/diffs/diff-parse.ts";
import type { ProgramChoice } from "../subject/program/open-program.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { shortestPath } from "./shortest-path.ts";

/** What is to be patched. */
export type Patched =
  | { readonly kind: "kernel"; readonly kernel: KernelChoice }
  | { readonly kind: "program"; readonly program: ProgramChoice };

/** What was typed, before anything is read. */
export interface BuildChoice
  extends Pick<LivepatchRequest, "strip" | "output" | "name" | "patchVersion" | "replace" | "keepsDiffs"> {
  readonly patched: Patched;
  /** Paths; `-` is standard input. */
  readonly diffs: readonly string[];
  /** Default: one a processor. */
  readonly jobs: number | undefined;
}

/**
 * Builds, and puts the result into words: exit code 2 with the refusals, 3 where the
 * diff changes no code. Throws what reading the diffs and building throw.
 */
export async function runBuild(choice: BuildChoice, context: Context): Promise<Outcome<Json<"build">>> {
  const { patched } = choice;
  const request = { ...choice, ...(await requestFrom(choice, context)) };
  if (patched.kind === "kernel") {
    const { buildKernelLivepatch } = await import("../subject/kernel/build.ts");
    return outcomeOf(await buildKernelLivepatch({ ...request, kernel: patched.kernel }), patched.kind);
  }
  const { buildProgramLivepatch } = await import("../subject/program/build.ts");
  return outcomeOf(await buildProgramLivepatch({ ...request, program: patched.program }), patched.kind);
}

async function requestFrom(
  choice: BuildChoice,
  context: Context,
): Promise<Pick<LivepatchRequest, "diffs" | "jobs" | "cache" | "progress" | "signal">> {
  const { patched, diffs, output } = choice;
  if (output !== undefined) await checkOutput(output, [...diffs, ...filesOf(patched)]);
  return await requestOf(choice, context);
}

/** With the diffs read. Throws what reading them throws. */
export async function requestOf(
  { diffs, jobs }: Pick<BuildChoice, "diffs" | "jobs">,
  { cache, progress, signal }: Context,
): Promise<Pick<LivepatchRequest, "diffs" | "jobs" | "cache" | "progress" | "signal">> {
  const texts: DiffText[] = [];
  for (const path of diffs)
    texts.push({
      name: path === "-" ? "stdin" : path,
      data: await readGivenFile(path, { signal, maxBytes: MAX_DIFF_BYTES }),
    });
  return { diffs: texts, jobs: jobs ?? availableParallelism(), cache, progress, signal };
}

/** Those that are read besides the diffs. */
function filesOf(patched: Patched): string[] {
  if (patched.kind === "kernel") return patched.kernel.kind === "custom" ? [patched.kernel.vmlinux] : [];
  const { program } = patched;
  return [...program.executables, ...(program.kind === "commands" ? [program.commands] : [])];
}

/** Of one livepatch. */
function outcomeOf(
  result: LivepatchResult<PatchMetadata | ProgramMetadata>,
  what: Patched["kind"],
): Outcome<Json<"build">> {
  switch (result.kind) {
    case "built":
      return { exit: EXIT.done, json: result, lines: builtLines(result) };
    case "refused":
      return { exit: EXIT.refused, json: result, lines: [], problems: result.refusals };
    case "no-change":
      return {
        exit: EXIT.noChange,
        json: result,
        lines: [`the diff changes no code of this ${what}`, ...noteLines(result.notes, [])],
      };
  }
}

function builtLines({
  path,
  metadata,
  seconds,
}: LivepatchResult<PatchMetadata | ProgramMetadata> & { readonly kind: "built" }): string[] {
  const patched = metadata.objects.flatMap((object) =>
    object.funcs.length > 0
      ? object.funcs.map(({ name }) => `${name} (${object.name})`)
      : [`no function of ${object.name}: ${withoutFunctions(object).join(", ")}`],
  );
  const proved = metadata.proofs.reduce((sum, proof) => sum + proof.proved, 0);
  const others = metadata.proofs.reduce((sum, proof) => sum + proof.differing.length + proof.absent.length, 0);
  // Much of a kernel's unit is not in what ships, and says nothing; a program's unit may be another one's.
  const count = "kernel" in metadata ? `${proved}` : `${proved} of ${proved + others}`;
  return [
    `wrote ${shortestPath(path)}${forWhat(metadata)} in ${(seconds["total"] ?? 0).toFixed(2)} s`,
    `  patches ${patched.join(", ")}`,
    `  ${count} functions of the original proved equal to the shipped code`,
    ...noteLines(metadata.notes, metadata.leftOut),
  ];
}

function forWhat(metadata: PatchMetadata | ProgramMetadata): string {
  if ("kernel" in metadata) return ` for Linux ${metadata.kernel.release}`;
  const { package: from, version = "" } = metadata.program;
  return from === undefined ? "" : ` for ${from} ${version}`;
}

/** What a livepatch has for an object none of whose functions it patches. */
function withoutFunctions(object: (PatchMetadata | ProgramMetadata)["objects"][number]): readonly string[] {
  if ("path" in object) return Object.keys(object.callbacks);
  return [...(object.values ?? []), ...object.callbacks];
}

/** What was done beyond replacing functions, then what has no new version and why. */
function noteLines(notes: readonly Note[], leftOut: readonly Refusal[]): string[] {
  return [
    ...notes.map(({ code, text }) => `  ${code}: ${text}`),
    ...leftOut.map(({ code, what }) => `  left out: ${code}: ${what}`),
  ];
}
