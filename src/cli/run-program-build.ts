import type { ProgramMetadata } from "../patch/program-metadata.ts";
import { buildProgramLivepatch, type ProgramBuildRequest } from "../subject/program/build.ts";
import { type BuildChoice, noteLines, outcomeOf, requestFrom } from "./build-outcome.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { shortestPath } from "./shortest-path.ts";

/** What was typed for a livepatch of a program. */
export interface ProgramBuildOptions extends BuildChoice, Pick<ProgramBuildRequest, "program"> {}

/** The same as `runBuild`, for a program. */
export async function runProgramBuild(options: ProgramBuildOptions, context: Context): Promise<Outcome<Json<"build">>> {
  const result = await buildProgramLivepatch({
    ...options,
    ...(await requestFrom(options, filesOf(options.program), context)),
  });
  return outcomeOf(result, "this program", builtLines);
}

function filesOf(program: ProgramBuildOptions["program"]): string[] {
  return [...program.executables, ...(program.kind === "commands" ? [program.commands] : [])];
}

function builtLines(path: string, patch: ProgramMetadata, seconds: number): string[] {
  const patched = patch.objects.flatMap(({ name, funcs, callbacks }) =>
    funcs.length > 0
      ? funcs.map((func) => `${func.name} (${name})`)
      : [`no function of ${name}: ${Object.keys(callbacks).join(", ")}`],
  );
  const proved = patch.proofs.reduce((sum, proof) => sum + proof.proved, 0);
  const others = patch.proofs.reduce((sum, proof) => sum + proof.differing.length + proof.absent.length, 0);
  const from =
    patch.program.package === undefined ? "" : ` for ${patch.program.package} ${patch.program.version ?? ""}`;
  return [
    `wrote ${shortestPath(path)}${from} in ${seconds.toFixed(2)} s`,
    `  patches ${patched.join(", ")}`,
    `  ${proved} of ${proved + others} functions of the original proved equal to the shipped code`,
    ...noteLines(patch.notes, patch.leftOut),
  ];
}
