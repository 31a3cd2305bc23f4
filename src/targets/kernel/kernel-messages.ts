/** What the running kernel prints from now on: Documentation/ABI/testing/dev-kmsg. */
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** One line of the kernel's log. */
export interface LogLine {
  /** Severity, 0 (emergency) to 7 (debug); undefined where the line carries none. */
  readonly level: number | undefined;
  /** Since boot, by the kernel's clock; undefined where the line carries none. */
  readonly seconds: number | undefined;
  readonly text: string;
}

/** A record is never longer: the kernel gives EINVAL to a smaller buffer than it needs. */
const RECORD_BYTES = 64 << 10;

/** The kernel's log after it was opened. Nobody else's reading is disturbed. */
export class KernelMessages implements Disposable {
  readonly #file: number;

  private constructor(file: number) {
    this.#file = file;
  }

  /** undefined where this user may not read the log, or there is none. @param root of the file system */
  static open(root = "/"): KernelMessages | undefined {
    const messages = KernelMessages.#atStart(root);
    messages?.take();
    return messages;
  }

  /** All that the kernel has kept of its log. @see open */
  static all(root = "/"): LogLine[] | undefined {
    using messages = KernelMessages.#atStart(root);
    return messages?.take();
  }

  static #atStart(root: string): KernelMessages | undefined {
    try {
      return new KernelMessages(openSync(join(root, "dev/kmsg"), constants.O_RDONLY | constants.O_NONBLOCK));
    } catch {
      return undefined;
    }
  }

  /** What has come since the last time, the oldest first. */
  take(): LogLine[] {
    const lines: LogLine[] = [];
    const buffer = Buffer.alloc(RECORD_BYTES);
    for (;;) {
      let length: number;
      try {
        length = readSync(this.#file, buffer);
      } catch (error) {
        // Records that were overwritten before they were read are skipped.
        if ((error as NodeJS.ErrnoException).code === "EPIPE") continue;
        return lines;
      }
      if (length === 0) return lines;
      for (const line of buffer.toString("utf8", 0, length).split("\n")) {
        const parsed = parseRecord(line);
        if (parsed !== undefined) lines.push(parsed);
      }
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

/** undefined for what a program has written, and for the lines of a record that name its device. */
export function parseRecord(line: string): LogLine | undefined {
  const match = /^(\d+),\d+,(\d+),[^;]*;(.*)$/.exec(line);
  if (match === null) return undefined;
  const [, priority, microseconds, text = ""] = match;
  // The priority is the facility times eight plus the level; the kernel's facility is 0.
  if (Number(priority) >= 8) return undefined;
  return {
    level: Number(priority) & 7,
    seconds: Number(microseconds) / 1e6,
    text: text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  };
}
