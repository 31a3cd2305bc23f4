import { printableLine } from "./printable.ts";

/** What a long command shows of its work while it goes on. */
export interface Progress {
  /** A new step begins; the one before it is over. */
  step(text: string): void;
  /** How far the present step is; `unit` is what is counted, for instance `MB`. */
  tick(done: number, total: number, unit?: string): void;
  /** A line that stays. */
  note(text: string): void;
  /** Something that changes while it goes on, in place of what was shown of it before. */
  picture?(picture: Picture): void;
  /** The last step is over. */
  done(): void;
}

/** What can be drawn again and again. */
export interface Picture {
  /** For a terminal of so many columns and rows: each line fits into them. */
  lines(columns: number, rows: number): readonly string[];
  /** The same as one line, for where nothing can be drawn over. */
  readonly line: string;
}

/** Shows nothing: for --quiet, --json and tests. */
export const silentProgress: Progress = { step() {}, tick() {}, note() {}, done() {} };

/** The part of a stream that is needed; `process.stderr` is one. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/**
 * One line that is updated in place on a terminal; plain lines elsewhere, on a terminal
 * too that cannot be drawn over (TERM=dumb), or does not say how wide it is.
 */
export function progressTo(stream: ProgressStream, env: NodeJS.ProcessEnv = process.env): Progress {
  const canDraw = stream.isTTY === true && env["TERM"] !== "dumb" && stream.columns !== 0;
  return canDraw ? terminalProgress(stream) : plainProgress(stream);
}

const REDRAW_MILLISECONDS = 80;
const PLAIN_TICK_MILLISECONDS = 5000;
const CLEAR_LINE = "\r\x1b[2K";

function terminalProgress(stream: ProgressStream): Progress {
  let step = "";
  let drawn = 0;
  /** Of the picture that is there. */
  let lines = 0;
  const wipe = (): void => {
    if (lines > 0) stream.write(`\r${lines > 1 ? `\x1b[${lines - 1}A` : ""}\x1b[J`);
    lines = 0;
  };
  const draw = (text: string): void => {
    wipe();
    drawn = Date.now();
    stream.write(CLEAR_LINE + text.slice(0, (stream.columns ?? 80) - 1));
  };
  return {
    step(text) {
      step = printableLine(text);
      draw(step);
    },
    picture(picture) {
      const shown = picture.lines(stream.columns ?? 80, stream.rows || 24).map(printableLine);
      wipe();
      stream.write(CLEAR_LINE + shown.join("\n"));
      lines = shown.length;
    },
    tick(done, total, unit) {
      if (done === total || Date.now() - drawn >= REDRAW_MILLISECONDS) draw(step + counted(done, total, unit));
    },
    note(text) {
      wipe();
      stream.write(`${CLEAR_LINE}${printableLine(text)}\n`);
      if (step !== "") draw(step);
    },
    done() {
      wipe();
      if (step !== "") stream.write(CLEAR_LINE);
      step = "";
    },
  };
}

function plainProgress(stream: ProgressStream): Progress {
  let step = "";
  let written = 0;
  const line = (text: string): void => {
    written = Date.now();
    stream.write(`${printableLine(text)}\n`);
  };
  return {
    step(text) {
      step = text;
      line(text);
    },
    tick(done, total, unit) {
      if (Date.now() - written >= PLAIN_TICK_MILLISECONDS) line(step + counted(done, total, unit));
    },
    picture(picture) {
      if (Date.now() - written >= PLAIN_TICK_MILLISECONDS) line(picture.line);
    },
    note: line,
    done() {},
  };
}

function counted(done: number, total: number, unit: string | undefined): string {
  return ` ${done}/${total}${unit === undefined ? "" : ` ${unit}`}`;
}
