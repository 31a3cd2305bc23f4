/** The administrator's own word on whether the machine does its work. */
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";

/** What is kept of its output. */
const MOST_OUTPUT = 64 << 10;
const MOST_LINES = 5;

/** Runs a command of the shell. @returns why it says no; undefined where it exits with 0 in time */
export async function unhealthy(
  command: string,
  timeoutSeconds: number,
  signal?: AbortSignal,
): Promise<{ readonly why: string; readonly output: readonly string[] } | undefined> {
  try {
    const options = { timeoutSeconds, maxOutput: MOST_OUTPUT, signal };
    const { exitCode, endedBy, stdout, stderr } = await run("/bin/sh", ["-c", command], options);
    if (exitCode === 0) return undefined;
    const output = `${stdout}\n${stderr}`.split("\n").filter((line) => line.trim() !== "");
    const why = endedBy === null ? `it ended with status ${exitCode}` : `it was ended by ${endedBy}`;
    return { why, output: output.slice(-MOST_LINES) };
  } catch (error) {
    const code = error instanceof SutureError ? error.code : undefined;
    if (code === "PROGRAM_TIMED_OUT") return { why: `it did not end within ${timeoutSeconds} s`, output: [] };
    if (code === "OUTPUT_TOO_LARGE") return { why: "it prints without end", output: [] };
    throw error;
  }
}
