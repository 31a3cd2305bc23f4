/** What the kernel says of what was asked of it. */
import { run } from "../../lib/run.ts";

/** What is quoted of it. */
const MOST_LINES = 6;

/** The lines of the kernel's log, the oldest first; none where this user may not read it. */
export async function readKernelLog(): Promise<readonly string[]> {
  const { exitCode, stdout } = await run("dmesg", []);
  return exitCode === 0 ? stdout.split("\n").filter((line) => line !== "") : [];
}

/** What the log has got since `before`, without the time of each line: the last few lines. */
export async function newLines(before: readonly string[]): Promise<readonly string[]> {
  const known = new Set(before);
  const lines = (await readKernelLog()).filter((line) => !known.has(line));
  return lines.map((line) => line.replace(/^\[ *\d+\.\d+\] /, "")).slice(-MOST_LINES);
}
