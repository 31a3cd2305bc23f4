import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { type BuildRequest, type BuildResult, buildLivepatch } from "../build/livepatch.ts";
import { EXIT } from "../lib/error.ts";
import type { PatchMetadata } from "../patch/metadata.ts";
import type { Context, Outcome } from "./command.ts";
import { readInput } from "./input.ts";

export interface BuildOptions extends Pick<BuildRequest, "kernel" | "strip" | "output" | "name" | "replace"> {
  /** Paths; `-` is standard input. */
  readonly diffs: readonly string[];
  /** Default: one a processor. */
  readonly jobs: number | undefined;
}

export async function runBuild(options: BuildOptions, context: Context): Promise<Outcome> {
  const { cache, progress, signal } = context;
  const result = await buildLivepatch({
    ...options,
    diffs: options.diffs.map((path) => ({ name: path === "-" ? "stdin" : path, data: readInput(path) })),
    jobs: options.jobs ?? availableParallelism(),
    cache,
    progress,
    signal,
  });
  return outcomeOf(result);
}

function outcomeOf(result: BuildResult): Outcome {
  switch (result.kind) {
    case "built":
      return { exit: EXIT.done, json: result, lines: builtLines(result.path, result.metadata, result.seconds) };
    case "refused":
      return { exit: EXIT.refused, json: result, lines: [], problems: result.refusals };
    case "no-change":
      return {
        exit: EXIT.noChange,
        json: result,
        lines: [
          "the diff changes no code of this kernel",
          ...result.notes.map(({ code, text }) => `  ${code}: ${text}`),
        ],
      };
  }
}

function builtLines(path: string, patch: PatchMetadata, seconds: Readonly<Record<string, number>>): string[] {
  const patched = patch.objects.flatMap(({ name, funcs, callbacks }) =>
    funcs.length > 0
      ? funcs.map((func) => `${func.name} (${name})`)
      : [`no function of ${name}: ${callbacks.join(", ")}`],
  );
  const proved = patch.proofs.reduce((sum, proof) => sum + proof.proved, 0);
  const more = [...patch.notes.map(({ code, text }) => `${code}: ${text}`)].concat(
    patch.leftOut.map(({ code, what }) => `left out: ${code}: ${what}`),
  );
  return [
    `wrote ${shortest(path)} for Linux ${patch.kernel.release} in ${(seconds["total"] ?? 0).toFixed(2)} s`,
    `  patches ${patched.join(", ")}`,
    `  ${proved} functions of the original proved equal to the shipped code`,
    ...more.map((line) => `  ${line}`),
  ];
}

function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}
