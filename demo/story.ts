/** What the demo prints, and how it ends where something is not as it says. */
import { styleText } from "node:util";
import { formatError } from "../src/lib/error.ts";

/** Something that the demo claims was not seen. */
export class NotAsClaimed extends Error {}

/** Throws `NotAsClaimed` unless `seen`. */
export function claim(seen: boolean, what: string, instead: unknown): asserts seen {
  if (!seen)
    throw new NotAsClaimed(`${what}; seen: ${typeof instead === "string" ? instead : JSON.stringify(instead)}`);
}

/** Tells it; ends with exit code 1, and the reason, where anything is not as it says. */
export async function told(story: () => Promise<void>): Promise<void> {
  // Nobody reads on: there is nothing to show, and nothing was shown to the end.
  process.stdout.on("error", () => process.exit(1));
  try {
    await story();
  } catch (error) {
    const lines = error instanceof NotAsClaimed ? [`NOT AS CLAIMED: ${error.message}`] : formatError(error);
    process.stderr.write(`\n${lines.join("\n")}\n`);
    process.exitCode = 1;
  }
}

export function title(text: string): void {
  process.stdout.write(`${styleText("bold", text)}\n`);
}

export function chapter(text: string): void {
  process.stdout.write("\n");
  title(text);
}

export function say(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`   ${line}\n`);
}

/** A command that is run for the reader, after its prompt. */
export function command(prompt: "$" | "guest#", text: string): void {
  say(styleText("cyan", `${prompt} ${text}`));
}

/** What a command printed. */
export function printed(text: string): void {
  for (const line of text.trimEnd().split("\n")) say(styleText("dim", line));
}

/** Of a summary. */
export type Row = readonly [name: string, value: string];

/** Columns as wide as they need to be. */
export function table(rows: readonly Row[]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) say(`${name.padEnd(width)}   ${styleText("bold", value)}`);
}

export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

export function megabytes(kilobytes: number): string {
  return `${(kilobytes / 1024).toFixed(1)} MB`;
}

export function milliseconds(seconds: number): string {
  return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
}
