/** Waits for what happens to the threads of a process, and lets Node have its turns meanwhile. */
import { setImmediate as nextTurn, setTimeout } from "node:timers/promises";
import type { MachineEvent } from "../../core/machine.ts";
import type { TracedProcess } from "../tracer/traced-process.ts";
import type { WatchedTasks } from "./watched-tasks.ts";

/** How long to look for a watched task without a pause, and the pause after that, milliseconds. */
const EAGER_MS = 1;
const PAUSE_MS = 1;
/** How long at most a caller that never waits keeps Node from hearing of a signal of its own, milliseconds. */
const LONGEST_TURN_MS = 50;

/** One wait at a time. */
export class EventLoop {
  readonly #traced: TracedProcess;
  readonly #watched: WatchedTasks;
  /** When Node was last let have a turn. */
  #lastTurn = performance.now();

  constructor(traced: TracedProcess, watched: WatchedTasks) {
    this.#traced = traced;
    this.#watched = watched;
  }

  /** As `Machine.next` has it. */
  async next(deadline: number): Promise<MachineEvent> {
    let eager = this.#watched.isEmpty ? 0 : performance.now() + EAGER_MS;
    for (let passed = this.#traced.signals; ; ) {
      const event = this.#happened();
      if (event !== undefined) return event;
      const now = performance.now();
      // A thread that waited here for each of its signals would do nothing else, where they come fast.
      if (this.#traced.signals !== passed) eager = now + EAGER_MS;
      passed = this.#traced.signals;
      const isOver = now >= deadline;
      if (isOver && now < this.#lastTurn + LONGEST_TURN_MS) return { kind: "deadline" };
      this.#traced.letAskedGo();
      await (isOver || now < eager ? nextTurn() : setTimeout(Math.min(PAUSE_MS, deadline - now)));
      this.#lastTurn = performance.now();
    }
  }

  #happened(): MachineEvent | undefined {
    for (let event = this.#traced.poll(); event !== undefined; event = this.#traced.poll()) {
      if (event.kind === "died") this.#watched.forget(event.task);
      if (event.kind !== "left") return event;
      if (this.#watched.hasLeft(event.task)) {
        // Nothing may be armed once the handler is gone, and only tasks that are watched keep it.
        this.#watched.unwatch(event.task);
        return event;
      }
      this.#traced.resume(event.task);
    }
    return undefined;
  }
}
