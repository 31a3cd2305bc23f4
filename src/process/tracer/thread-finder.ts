/** Finds the tasks that run in a process's memory: its threads, and those of processes that share the memory. */

import type { Os, SharerSearch } from "../os/os.ts";
import { seize } from "./attach.ts";
import { Tracee } from "./tracee.ts";

/** Knows the tasks that were found, those too that have ended since until it is told. */
export class ThreadFinder implements Disposable {
  readonly #os: Os;
  readonly #all: Map<number, Tracee>;
  /** Processes in whose memory the tasks run: the process itself, and those that share its memory. */
  readonly #groups: Set<number>;
  readonly #sharers: SharerSearch;
  /** Whether the kernel has threads of its own among those of the process. */
  #hasHelpers = false;

  /** @param all the tasks that are traced, by id; what is found is put into it */
  constructor(pid: number, all: Map<number, Tracee>, os: Os) {
    this.#os = os;
    this.#all = all;
    this.#groups = new Set([pid]);
    this.#sharers = os.findSharers(this.#groups);
  }

  [Symbol.dispose](): void {
    this.#sharers[Symbol.dispose]();
  }

  /** While the process runs: what makes the look for tasks that are no threads of it a short one in a stop. */
  prepare(): void {
    this.#sharers.prepare(this.#member());
  }

  /**
   * Traces the threads that are not traced yet, and tells of each; whether there were
   * any. Throws `ALREADY_TRACED`, `PTRACE_DENIED`.
   */
  findThreads(found?: (tracee: Tracee) => void): boolean {
    let any = false;
    for (const group of this.#groups) any = this.#findIn(group, found) || any;
    return any;
  }

  /**
   * The same for processes that share the memory, as clone(2) with CLONE_VM makes them. Only once all tasks
   * that are known stand still: a task that waits for its child of vfork(2), which
   * shares the memory too, does not before that has another memory, or has ended.
   */
  findSharers(found: (tracee: Tracee) => void): boolean {
    const member = this.#member();
    if (member === undefined) return false;
    const groups = this.#sharers.found(member);
    for (const group of groups) this.#groups.add(group);
    return groups.length > 0 && this.findThreads(found);
  }

  /** A process that shared the memory has another one now, or has ended. */
  forgetGroup(group: number): void {
    this.#groups.delete(group);
  }

  /** Some task that has the memory. */
  #member(): number | undefined {
    for (const { tid, state } of this.#all.values()) if (state.kind !== "ended") return tid;
    return undefined;
  }

  #findIn(group: number, found?: (tracee: Tracee) => void): boolean {
    for (let dead: ReadonlySet<number> = new Set(); ; ) {
      // Those that we trace are there until we wait for them: equal numbers mean the same threads.
      const count = this.#os.threadCount(group);
      const known = this.#countOf(group);
      if (count === 0 || (count === known && !this.#hasHelpers)) return false;
      const ended = new Set<number>();
      let fresh = 0;
      let helpers = 0;
      for (const tid of this.#os.threadsOf(group)) {
        if (this.#all.has(tid)) continue;
        if (this.#os.isKernelHelper(group, tid)) {
          helpers++;
          continue;
        }
        if (!seize(group, tid, this.#os)) {
          ended.add(tid);
          continue;
        }
        const tracee = new Tracee(tid, group, this.#os);
        this.#all.set(tid, tracee);
        fresh++;
        found?.(tracee);
      }
      this.#hasHelpers ||= helpers > 0;
      if (fresh > 0) return true;
      // The list passes over threads where others vanish meanwhile, and one that ended after the
      // count may have started another before: only those that were dead before it are no one's parents.
      if (count <= known + ended.size + helpers && [...ended].every((tid) => dead.has(tid))) return false;
      dead = ended;
    }
  }

  #countOf(group: number): number {
    if (this.#groups.size === 1) return this.#all.size;
    let count = 0;
    for (const tracee of this.#all.values()) if (tracee.pid === group) count++;
    return count;
  }
}
