/** `suture` as a user runs it, its answer read from --json. */
import { fileURLToPath } from "node:url";
import type { Problem } from "../../../src/lib/error.ts";
import { run } from "../../../src/lib/run.ts";
import type { ProgramMetadata } from "../../../src/patch/program-metadata.ts";
import type { Refusal } from "../../../src/patch/refusal.ts";
import type { VerbResult } from "../../../src/targets/verb-result.ts";

const SUTURE = fileURLToPath(new URL("../../../bin/suture", import.meta.url));
const LONGEST_SECONDS = 3600;

export interface Answer {
  readonly exit: number | null;
  /** Why not, in words; empty where all is well. */
  readonly complaint: string;
  /** From the start of the process to its end. */
  readonly seconds: number;
  readonly json: Readonly<Record<string, unknown>>;
}

export async function suture(args: readonly string[], cwd: string): Promise<Answer> {
  const began = performance.now();
  const { exitCode, stdout, stderr } = await run(SUTURE, [...args, "--json"], { cwd, timeoutSeconds: LONGEST_SECONDS });
  const seconds = (performance.now() - began) / 1000;
  const json = parsed(stdout);
  const complaint = exitCode === 0 ? "" : complaintOf(json) || stderr.trim().slice(-600);
  return { exit: exitCode, complaint, seconds, json };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

function complaintOf(json: Readonly<Record<string, unknown>>): string {
  const results = (json["results"] as readonly VerbResult[] | undefined) ?? [];
  const told: readonly (Problem | Refusal)[] = [
    ...((json["refusals"] as readonly Refusal[] | undefined) ?? []),
    ...(json["error"] === undefined ? [] : [json["error"] as Problem]),
    ...results.flatMap(({ problems }) => problems),
  ];
  const holders = results.flatMap((result) => result.holders.map(({ name, why }) => `${name}: ${why}`));
  return [...told.map(({ code, what, where }) => `${code}: ${what} (${where ?? ""})`), ...holders].join("; ");
}

export function metadataOf(answer: Answer): ProgramMetadata | undefined {
  return answer.json["metadata"] as ProgramMetadata | undefined;
}

export function resultsOf(answer: Answer): readonly VerbResult[] {
  return (answer.json["results"] as readonly VerbResult[] | undefined) ?? [];
}
