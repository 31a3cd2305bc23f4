/** What is shown again and again, for as long as somebody looks at it. */
import { setTimeout as wait } from "node:timers/promises";
import { printableLine } from "../lib/printable.ts";

const INTERVAL_MS = 1000;

/** One after the other, until `signal` is aborted. */
export async function* screens(
  look: () => Promise<readonly string[]>,
  signal: AbortSignal,
): AsyncGenerator<readonly string[]> {
  while (!signal.aborted) {
    yield await look();
    await wait(INTERVAL_MS, undefined, { signal }).catch(() => {});
  }
}

/** The part of a stream that is needed; `process.stdout` is one. */
export interface ScreenStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

const HOME_AND_CLEAR = "\x1b[H\x1b[2J";

/** On a terminal each takes the place of the one before; elsewhere one is printed that differs from the one before. */
export async function showScreens(all: AsyncIterable<readonly string[]>, stream: ScreenStream): Promise<void> {
  let before: string | undefined;
  const isDrawn = stream.isTTY === true && process.env["TERM"] !== "dumb";
  for await (const lines of all) {
    const printable = lines.map(printableLine);
    if (isDrawn) {
      stream.write(HOME_AND_CLEAR + cut(printable, stream).join("\n"));
      continue;
    }
    const text = printable.join("\n");
    if (text !== before) stream.write(`${text}\n\n`);
    before = text;
  }
  if (isDrawn) stream.write("\n");
}

/** What does not fit is left out: a line that is broken would move the others. */
function cut(lines: readonly string[], { columns = 0, rows = 0 }: ScreenStream): readonly string[] {
  const width = columns > 0 ? columns : 80;
  const height = rows > 0 ? rows : 24;
  return lines.slice(0, height - 1).map((line) => line.slice(0, width));
}
