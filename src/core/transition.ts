/** A transition from its beginning to its end: callbacks, the move by one of three models, and the way back when time is over. */
import { SutureError } from "../lib/error.ts";
import { callFirst, callLast } from "./callbacks.ts";
import { type Consistency, USUAL_MODEL } from "./consistency.ts";
import { CostCount } from "./cost.ts";
import { Direction } from "./direction.ts";
import { forceArrival } from "./force.ts";
import type { Holder } from "./holder.ts";
import { beginLazily, moveOneByOne } from "./lazy.ts";
import { isOver, type Limit, rest } from "./limit.ts";
import { type Outcome, refused } from "./outcome.ts";
import type { CoreRecord, TransitionRecord } from "./record.ts";
import type { Registry } from "./registry.ts";
import { turnRound } from "./reverse.ts";
import { callbacksOf, cancelledRecord, finishedRecord, firstCallback } from "./steps.ts";
import { stopUntilArrived, trySplitting } from "./stop.ts";

/** How a transition is to go, and how long it may take. */
export interface TransitionOptions {
  /** Default `hybrid`. */
  readonly consistency?: Consistency | undefined;
  /** Milliseconds, default 10,000; may be infinite. The way back has as many again. */
  readonly timeoutMs?: number | undefined;
  /** When time is over: turn round (default), or leave the transition as it is. */
  readonly onDeadline?: "reverse" | "keep" | undefined;
  /** Aborted: as if time were over. */
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const OBSTACLE_PAUSE_MS = 1;
/** Of a busy system before it is stopped: with less, some of what waits for the processors still waits. */
const BUSY_PAUSE_MS = 3;

/**
 * One session of one transition: it may have been begun by another one, and may be left
 * for the next. Its cost and the callbacks' notes are of this session alone.
 */
export class Transition {
  readonly #registry: Registry;
  readonly #options: TransitionOptions;
  readonly #cost = new CostCount();
  readonly #notes: string[] = [];

  constructor(registry: Registry, options: TransitionOptions) {
    this.#registry = registry;
    this.#options = options;
  }

  /** Begins, or begins again, with a record whose transition is in its phase `before`. */
  async begin(record: CoreRecord, transition: TransitionRecord): Promise<Outcome> {
    if (callbacksOf(record, firstCallback(transition)).length === 0) return this.#go(record, transition);
    if (this.#registry.record !== record) this.#registry.save(record);
    const problem = await callFirst(this.#registry, this.#notes);
    if (problem === undefined) return this.#go(this.#registry.record, transition);
    await this.cancel();
    return refused(
      "CALLBACK_REFUSED",
      `patch ${transition.patch} refuses to be loaded: ${problem}`,
      transition.patch,
      "what its callback looks for in the program is not as it has to be",
    );
  }

  /** Goes on with the moving tasks of the record. */
  async proceed(transition: TransitionRecord): Promise<Outcome> {
    const direction = new Direction(this.#registry, this.#registry.record, transition, this.#cost);
    return this.#travel(direction, transition.reversed);
  }

  /** Turns round the moving tasks of the record. */
  async reverse(): Promise<Outcome> {
    const limit = this.#limit();
    const back = await this.#turnRound(limit);
    return back === undefined ? this.#pending([]) : this.#travel(back, this.#isReversed());
  }

  /** Lets the moving tasks of the record switch as they stand. */
  async force(transition: TransitionRecord): Promise<Outcome> {
    const held = await forceArrival(this.#registry, transition, this.#limit(), this.#cost);
    return held === undefined ? this.finish() : this.#pending(held.holders());
  }

  /** Gives up in phase `before`. */
  async cancel(): Promise<Outcome> {
    const { record } = this.#registry;
    if (record.transition !== undefined) this.#registry.save(cancelledRecord(record, record.transition));
    return this.finish();
  }

  /** All have arrived: what is left to do then. */
  async finish(): Promise<Outcome> {
    if (this.#registry.record.transition !== undefined) {
      await callLast(this.#registry, this.#notes);
      this.#registry.save(finishedRecord(this.#registry.record));
    }
    return { kind: "done", cost: this.#cost, notes: this.#notes };
  }

  async #go(record: CoreRecord, transition: TransitionRecord): Promise<Outcome> {
    const direction = new Direction(this.#registry, record, transition, this.#cost);
    try {
      return await this.#travel(direction, transition.reversed);
    } catch (error) {
      if (error instanceof SutureError && error.code === "TARGET_GONE") throw error;
      if (this.#registry.record.transition?.phase === "before") await this.cancel();
      throw error;
    }
  }

  /** @param reversed which way was wished for */
  async #travel(direction: Direction, reversed: boolean): Promise<Outcome> {
    if ((await this.#move(direction, this.#limit())) === "arrived") return this.finish();
    const holders = direction.holders();
    if (!direction.isMoving) {
      await this.cancel();
      return { kind: "reversed", holders, cost: this.#cost, notes: this.#notes };
    }
    if (this.#options.onDeadline === "keep" || this.#isReversed() !== reversed) return this.#pending(holders);
    const back = await this.#turnRound(this.#wayBack());
    if (back === undefined) return this.#pending(holders);
    if ((await this.#move(back, this.#wayBack())) === "late") return this.#pending(back.holders());
    await this.finish();
    return { kind: "reversed", holders, cost: this.#cost, notes: this.#notes };
  }

  async #move(direction: Direction, limit: Limit): Promise<"arrived" | "late"> {
    if (direction.isEmpty && !direction.isMoving) {
      this.#registry.save(direction.whenArrived.record);
      return "arrived";
    }
    // What a busy system did not get while we made ready it gets now, and not as part of one longer standstill.
    if (direction.machine.isBusy()) await rest(direction.machine, limit, BUSY_PAUSE_MS);
    const { consistency = USUAL_MODEL } = this.#options;
    // Stacks that are no task's are in no universe of their own: all switch at once.
    if (consistency === "stop" || direction.machine.hasSuspended(direction.held.ranges))
      return stopUntilArrived(direction, limit);
    const first = firstStep(consistency, direction);
    for (let step = first(direction); step !== "moving"; step = first(direction)) {
      if (step === "arrived") return "arrived";
      if (direction.isMoving) break;
      await rest(direction.machine, limit, OBSTACLE_PAUSE_MS);
      if (isOver(direction.machine, limit)) return "late";
    }
    return moveOneByOne(direction, limit);
  }

  async #turnRound(limit: Limit): Promise<Direction | undefined> {
    for (;;) {
      const back = turnRound(this.#registry, this.#cost);
      if (back !== undefined || isOver(this.#registry.machine, limit)) return back;
      await rest(this.#registry.machine, limit, OBSTACLE_PAUSE_MS);
    }
  }

  #isReversed(): boolean {
    return this.#registry.record.transition?.reversed === true;
  }

  #pending(holders: readonly Holder[]): Outcome {
    return { kind: "pending", holders, cost: this.#cost, notes: this.#notes };
  }

  #limit(): Limit {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, signal } = this.#options;
    return { deadline: this.#registry.machine.now() + timeoutMs, signal };
  }

  /** An abort means to turn round, and not to stay on the way. */
  #wayBack(): Limit {
    return { ...this.#limit(), signal: undefined };
  }
}

/** What is tried until tasks can switch one by one. */
function firstStep(
  model: Exclude<Consistency, "stop">,
  { isMoving }: Direction,
): (direction: Direction) => "arrived" | "moving" | "held" {
  switch (model) {
    case "hybrid":
      return trySplitting;
    case "lazy":
      return isMoving ? () => "moving" : beginLazily;
  }
}
