/** How long each step took the last time: only a hint for who waits, so a file that is not there or not whole says nothing. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Picture, Progress } from "./progress.ts";

const FILE = "times.json";
/** Seconds: what is shorter is nobody's wait. */
const LEAST = 5;
/** The oldest are forgotten. */
const MOST_STEPS = 300;

/** A progress that says of each long step how long it took the last time. */
export class LastTimes implements Progress {
  readonly #to: Progress;
  readonly #directory: () => string;
  readonly #seconds: Map<string, number>;
  readonly #clock: () => number;
  #step: { readonly text: string; readonly began: number } | undefined;
  #isChanged = false;

  /**
   * @param to what shows it
   * @param directory where the times are kept; it may not be there yet. Where this throws, none are kept
   * @param clock in milliseconds
   */
  constructor(to: Progress, directory: () => string, clock: () => number = () => performance.now()) {
    this.#to = to;
    this.#directory = directory;
    this.#clock = clock;
    this.#seconds = readTimes(directory);
  }

  step(text: string): void {
    this.#ended();
    this.#step = { text, began: this.#clock() };
    const last = this.#seconds.get(text);
    this.#to.step(last === undefined ? text : `${text} (the last time ${last} s)`);
  }

  tick(done: number, total: number, unit?: string): void {
    this.#to.tick(done, total, unit);
  }

  note(text: string): void {
    this.#to.note(text);
  }

  picture(picture: Picture): void {
    this.#to.picture?.(picture);
  }

  done(): void {
    this.#ended();
    this.#to.done();
    if (this.#isChanged) this.#save();
    this.#isChanged = false;
  }

  /** The present step did not come to its end: how long it took says nothing. */
  forget(): void {
    this.#step = undefined;
  }

  #ended(): void {
    if (this.#step === undefined) return;
    const { text, began } = this.#step;
    this.#step = undefined;
    const seconds = Math.round((this.#clock() - began) / 1000);
    if (seconds < LEAST) return;
    this.#seconds.delete(text);
    this.#seconds.set(text, seconds);
    this.#isChanged = true;
  }

  #save(): void {
    let temporary: string | undefined;
    try {
      const directory = this.#directory();
      mkdirSync(directory, { recursive: true });
      temporary = join(directory, `.${randomBytes(6).toString("hex")}`);
      // A link of somebody's is not followed.
      writeFileSync(temporary, JSON.stringify([...this.#seconds].slice(-MOST_STEPS)), { flag: "wx" });
      renameSync(temporary, join(directory, FILE));
    } catch {
      // The next time has no hint.
      if (temporary !== undefined) rmSync(temporary, { force: true });
    }
  }
}

function readTimes(directory: () => string): Map<string, number> {
  try {
    const read: unknown = JSON.parse(readFileSync(join(directory(), FILE), "utf8"));
    return new Map(Array.isArray(read) ? read.filter(isTime) : []);
  } catch {
    return new Map();
  }
}

function isTime(entry: unknown): entry is [string, number] {
  return Array.isArray(entry) && typeof entry[0] === "string" && Number.isSafeInteger(entry[1]);
}
