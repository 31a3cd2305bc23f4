/** `suture build` as a user runs it: a process of its own, its answer read from --json. */
import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PatchMetadata } from "../../src/patch/metadata.ts";
import type { Refusal } from "../../src/patch/refusal.ts";

const SUTURE = fileURLToPath(new URL("../../bin/suture", import.meta.url));

export type BuildOutcome =
  | {
      readonly kind: "built";
      readonly path: string;
      readonly metadata: PatchMetadata;
      readonly seconds: Readonly<Record<string, number>>;
    }
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] }
  | { readonly kind: "no-change" }
  | { readonly kind: "crashed"; readonly code: string; readonly what: string };

export interface BuildRun {
  readonly outcome: BuildOutcome;
  /** From the start of the process to its end. */
  readonly seconds: number;
}

export interface BuildInput {
  readonly release: string;
  /** Text of the diff, in latin1 characters. */
  readonly diff: string;
  /** Names the diff and the livepatch. */
  readonly name: string;
  /** Where both go. */
  readonly directory: string;
  readonly jobs: number | undefined;
  /** After which it is ended. */
  readonly longestSeconds?: number;
}

/** Writes the diff and runs the command on it. */
export async function buildCommand(input: BuildInput): Promise<BuildRun> {
  const { release, diff, name, directory, jobs, longestSeconds = LONGEST_SECONDS } = input;
  mkdirSync(directory, { recursive: true });
  const [diffPath, output] = [join(directory, `${name}.patch`), join(directory, `${name}.ko`)];
  writeFileSync(diffPath, diff, "latin1");
  rmSync(output, { force: true });
  const jobOptions = jobs === undefined ? [] : ["--jobs", String(jobs)];
  const args = ["build", "--json", "--kernel", release, ...jobOptions, "--output", output, diffPath];
  const began = performance.now();
  const { exit, stdout, stderr } = await ended(args, dirname(output), longestSeconds);
  const seconds = (performance.now() - began) / 1000;
  return { outcome: outcomeOf(exit, stdout, stderr), seconds };
}

const LONGEST_SECONDS = 900;

function ended(args: readonly string[], cwd: string, longestSeconds: number) {
  const child = spawn(SUTURE, args, { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: longestSeconds * 1000 });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  return new Promise<{ exit: number | string; stdout: string; stderr: string }>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve({
        exit: code ?? signal ?? "unknown",
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
}

type Answer = Exclude<BuildOutcome, { readonly kind: "crashed" }>;

const KIND_BY_EXIT: Readonly<Record<string, Answer["kind"]>> = { "0": "built", "2": "refused", "3": "no-change" };

/** Anything but the three results, exit code and answer in agreement, is a crash. */
function outcomeOf(exit: number | string, stdout: string, stderr: string): BuildOutcome {
  const answer = parsed(stdout);
  if (answer !== undefined && "kind" in answer && answer.kind === KIND_BY_EXIT[String(exit)]) return answer;
  const error = answer !== undefined && "error" in answer ? answer.error : undefined;
  const words = error?.what ?? stderr.trim().split("\n")[0] ?? "";
  return { kind: "crashed", code: error?.code ?? `EXIT_${exit}`, what: words };
}

function parsed(
  text: string,
): Answer | { readonly error: { readonly code: string; readonly what: string } } | undefined {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return undefined;
  }
}
