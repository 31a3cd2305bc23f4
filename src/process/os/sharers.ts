/**
 * Processes that share a process's memory: kcmp(2) tells two tasks with one memory. To ask
 * it of every process of the machine takes long, so that is done while the process runs;
 * in a stop only those are asked that were found then, and those that were made since.
 */
import { closeSync, openSync, readdirSync } from "node:fs";
import type { SharerSearch } from "./os.ts";
import { pread } from "./pread.ts";
import { sharesMemory } from "./shared-memory.ts";
import { statusField } from "./thread-list.ts";

/** More new ids than this are not asked for one by one. */
const MOST_NEW = 4096;

/** The search on Linux, by kcmp(2). It keeps what it found when it was prepared. */
export class Sharers implements SharerSearch {
  /** Thread groups that are known. */
  readonly #groups: ReadonlySet<number>;
  readonly #loadavg = openSync("/proc/loadavg", "r");
  readonly #bytes = Buffer.alloc(256);
  #candidates: readonly number[] = [];
  /** The id that was given last when all was last known. */
  #last: number | undefined;

  constructor(groups: ReadonlySet<number>) {
    this.#groups = groups;
  }

  [Symbol.dispose](): void {
    closeSync(this.#loadavg);
  }

  prepare(member: number | undefined): void {
    this.#last = this.#lastId();
    this.#candidates = member === undefined ? [] : this.#sharersAmong(allIds(), member);
  }

  found(member: number): readonly number[] {
    const now = this.#lastId();
    const before = this.#last;
    const isAsBefore = now === before && this.#candidates.length === 0;
    if (isAsBefore) return [];
    const fresh = now === before ? [] : this.#idsSince(before, now);
    const found = this.#sharersAmong(new Set([...this.#candidates, ...fresh]), member);
    // Where there are any, they have run until now.
    if (found.length === 0) {
      this.#last = now;
      this.#candidates = [];
    }
    return found;
  }

  #sharersAmong(ids: Iterable<number>, member: number): number[] {
    const groups = new Set<number>();
    for (const id of ids) {
      if (this.#groups.has(id) || id === member || !sharesMemory(id, member)) continue;
      const group = Number(statusField(id, id, "Tgid") ?? id);
      if (!this.#groups.has(group)) groups.add(group);
    }
    return [...groups];
  }

  #idsSince(before: number | undefined, now: number | undefined): Iterable<number> {
    if (before === undefined || now === undefined || now < before || now - before > MOST_NEW) return allIds();
    return Array.from({ length: now - before }, (_, index) => before + 1 + index);
  }

  /** The id that was given last: the fifth field of proc_loadavg(5). undefined where it cannot be told. */
  #lastId(): number | undefined {
    const count = pread(this.#loadavg, this.#bytes, this.#bytes.length, 0);
    const text = this.#bytes.toString("latin1", 0, Math.max(0, count));
    const id = Number(text.slice(text.lastIndexOf(" ") + 1));
    return Number.isInteger(id) && id > 0 ? id : undefined;
  }
}

function allIds(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}
