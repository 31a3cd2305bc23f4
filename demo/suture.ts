/** The command, run as a user would run it, from this checkout. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";
import { progressTo } from "../src/lib/progress.ts";
import { command, NotAsClaimed, printed } from "./story.ts";

export const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

export interface Ran {
  readonly status: number;
  /** What went wrong, by its stable code. */
  readonly code: string | undefined;
  /** Of the whole command. */
  readonly seconds: number;
}

/** Shows the command, its progress and its answer; an answer of more than `most` lines is cut. */
export async function suture(args: readonly string[], signal: AbortSignal, most = 8): Promise<Ran> {
  command("$", ["suture", ...args].join(" "));
  const began = performance.now();
  const child = spawn(`${CHECKOUT}bin/suture`, args, { cwd: CHECKOUT, stdio: ["ignore", "pipe", "pipe"], signal });
  const progress = progressTo(process.stderr);
  let answer = "";
  let complaint = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    answer += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
    const line = text.trimEnd().split("\n").at(-1) ?? "";
    if (line !== "") progress.step(`   ${styleText("dim", line)}`);
  });
  const status = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
  progress.done();
  const lines = answer.trimEnd().split("\n");
  if (answer !== "") printed([...lines.slice(0, most), ...(lines.length > most ? ["..."] : [])].join("\n"));
  const code = status === 0 ? undefined : /^([A-Z_]+): /m.exec(complaint)?.[1];
  return { status, code, seconds: (performance.now() - began) / 1000 };
}

/** The same, for a command that has to succeed. */
export async function sutureDone(args: readonly string[], signal: AbortSignal, most?: number): Promise<Ran> {
  const ran = await suture(args, signal, most);
  if (ran.status !== 0) throw new NotAsClaimed(`suture ${args[0]} ended with exit code ${ran.status}`);
  return ran;
}
