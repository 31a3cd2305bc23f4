/** The command, run as a user would run it, from this checkout. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { abortReason } from "../src/lib/interrupt.ts";
import { progressTo } from "../src/lib/progress.ts";
import { command, printed } from "./story.ts";

export const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

export interface Ran {
  readonly status: number;
  /** What went wrong, by its stable code. */
  readonly code: string | undefined;
  /** Of the whole command. */
  readonly seconds: number;
  /** Its standard output. */
  readonly answer: string;
}

/** The first line of an error, as every command prints it. */
const ERROR = /^([A-Z_]+): /m;

/** Runs it in `directory`, and shows the command, its progress and its answer. */
export async function suture(directory: string, args: readonly string[], signal: AbortSignal): Promise<Ran> {
  command("$", ["suture", ...args].join(" "));
  const began = performance.now();
  // In a process group of its own, a Ctrl-C reaches it once: by the signal.
  const child = spawn(`${CHECKOUT}bin/suture`, args, {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    signal,
  });
  const progress = progressTo(process.stderr);
  let answer = "";
  let complaint = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    answer += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
    const line = text.trimEnd().split("\n").at(-1) ?? "";
    if (!ERROR.test(complaint)) progress.step(`   ${line}`);
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.on("error", (error) => {
      if (!signal.aborted) reject(error);
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
  progress.done();
  if (signal.aborted) throw abortReason(signal);
  if (answer !== "") printed(answer);
  const error = ERROR.exec(complaint);
  if (error !== null) printed(complaint.slice(error.index));
  return { status, code: error?.[1], seconds: (performance.now() - began) / 1000, answer };
}
