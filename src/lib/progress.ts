import { printableLine } from "./printable.ts";

/** What a long command shows of its work while it goes on. */
export interface Progress {
  /** A new step begins; the one before it is over. */
  step(text: string): void;
  /** How far the present step is. */
  tick(done: number, total: number): void;
  /** A line that stays. */
  note(text: string): void;
  /** The last step is over. */
  done(): void;
}

/** Shows nothing: for --quiet, --json and tests. */
export const silentProgress: Progress = { step() {}, tick() {}, note() {}, done() {} };

/** The part of a stream that is needed; `process.stderr` is one. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** One line that is updated in place on a terminal; plain lines elsewhere. */
export function progressTo(stream: ProgressStream): Progress {
  return stream.isTTY === true ? terminalProgress(stream) : plainProgress(stream);
}

const REDRAW_MILLISECONDS = 80;
const PLAIN_TICK_MILLISECONDS = 5000;
const CLEAR_LINE = "\r\x1b[2K";

function terminalProgress(stream: ProgressStream): Progress {
  let step = "";
  let drawn = 0;
  const draw = (text: string): void => {
    drawn = Date.now();
    stream.write(CLEAR_LINE + text.slice(0, (stream.columns ?? 80) - 1));
  };
  return {
    step(text) {
      step = printableLine(text);
      draw(step);
    },
    tick(done, total) {
      if (done === total || Date.now() - drawn >= REDRAW_MILLISECONDS) draw(`${step} ${done}/${total}`);
    },
    note(text) {
      stream.write(`${CLEAR_LINE}${printableLine(text)}\n`);
      if (step !== "") draw(step);
    },
    done() {
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
    tick(done, total) {
      if (Date.now() - written >= PLAIN_TICK_MILLISECONDS) line(`${step} ${done}/${total}`);
    },
    note: line,
    done() {},
  };
}
