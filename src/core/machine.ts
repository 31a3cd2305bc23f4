/**
 * What the core needs of a patched system, and all that it knows of it. One
 * implementation reaches a running process, another is made up for tests.
 *
 * Addresses are those of the running system (user space: below 2^53, so they
 * are numbers). Times are milliseconds of `now()` unless a name says otherwise.
 */

/** A thread of the system; never used again for another one within the life of a machine object. */
export type TaskId = number;

/** Half-open: `start <= address < end`. */
export interface CodeRange {
  readonly start: number;
  readonly end: number;
}

/** One version of a function: where it is entered, and all code that is part of it (`.cold` and `.part` pieces too). */
export interface Code {
  readonly entry: number;
  readonly ranges: readonly CodeRange[];
}

/** A function that can be hooked: the place of its hook is the original's entry. */
export interface Site {
  /** Unique and the same in every run: object, name and position, for instance `redis-server:sdscatlen,0`. */
  readonly id: string;
  readonly original: Code;
}

/** One frame of a stack, innermost first. */
export interface Frame {
  /** The instruction that runs, or for outer frames the one that is returned to. */
  readonly ip: number;
  /** Whether `ip` is where a call returns to, so that the call itself lies before it. False for the innermost frame and for one that a signal interrupted. */
  readonly isReturn: boolean;
  /** Value of the stack pointer once this frame has returned. */
  readonly cfa: number;
}

/**
 * A task that stands in the machinery of a hook, where it may have chosen a
 * version and has not entered it yet, has an unreliable stack.
 */
export type Stack =
  | { readonly kind: "reliable"; readonly frames: readonly Frame[] }
  | {
      readonly kind: "unreliable";
      /** The innermost ones, as far as they are told; each is one. */
      readonly frames: readonly Frame[];
      readonly why: string;
      /**
       * All addresses of code that the task may still come to, and others too; undefined, or
       * not there, where even that cannot be told. Asked only where it matters.
       */
      readonly mayReach?: () => readonly number[] | undefined;
    };

/** Which version a call of a function reaches. A version is named by its entry; `original` is the site's own code. */
export type Version = "original" | number;

/**
 * What a site does with a call: `direct` is the same for every task (`original`:
 * no hook, the original bytes are in place); `choose` sends tasks of the behind
 * set to one version and all others, also those not yet born, to the other.
 */
export type Hook =
  | { readonly kind: "direct"; readonly to: Version }
  | { readonly kind: "choose"; readonly behind: Version; readonly ahead: Version };

/**
 * One step from a consistent state to the next. It happens as a whole or not
 * at all, for every task and also when this program is killed in the middle of it.
 */
export interface Change {
  /** Sites whose hook changes. */
  readonly hooks: ReadonlyMap<Site, Hook>;
  /** The whole behind set from now on. */
  readonly behind: ReadonlySet<TaskId>;
  /** What the core wants to find again, JSON; kept inside the system with the change itself. */
  readonly record: string;
}

/** Why a change cannot be made at this moment: a task stands where bytes have to be written. It may be tried again. */
export interface Obstacle {
  readonly task: TaskId;
  readonly why: string;
}

/** The system while all its tasks stand still. */
export interface StoppedSystem {
  readonly tasks: readonly TaskId[];
  /**
   * Which of these tasks hooks that choose send to `behind`, as it is in the
   * system and not as it was asked for: a fork has its parent's, and a task may be
   * born in the place of one that died behind.
   */
  behind(): ReadonlySet<TaskId>;
  stack(task: TaskId): Stack;
  /** Nothing was changed where an obstacle is returned. */
  commit(change: Change): Obstacle | undefined;
}

/** What one stop cost. `stoppedUs`: microseconds from the first task that stood still to the last that ran again. */
export interface StopCost {
  readonly tasks: number;
  readonly stoppedUs: number;
}

/** What a system does while nobody stops it: as `next` tells it, each once. */
export type MachineEvent =
  /** The task has just left the frame that was watched, and stands still until `resume`. */
  | { readonly kind: "left"; readonly task: TaskId }
  | { readonly kind: "died"; readonly task: TaskId }
  /** The system is no more, or is another one now (a process that ended, or called exec). */
  | { readonly kind: "gone"; readonly why: string }
  | { readonly kind: "deadline" };

/** What a task is doing, as far as it can be told without stopping it: for reasons. */
export type Doing = { readonly kind: "running" } | { readonly kind: "blocked"; readonly in: string };

/**
 * The one interface between the core and a patched system. It knows sites, hooks and
 * tasks, and nothing of patches: what the core has to remember it keeps as a text.
 */
export interface Machine {
  /** Milliseconds of a clock that never goes back. */
  now(): number;

  /**
   * Stops all tasks, runs the body, and resumes them whatever the body does,
   * those that stood still after `left` excepted: they stand on until `resume`.
   * Throws `TARGET_GONE` where the system is no more, and `Unstoppable` where a task does not stop now.
   */
  stopped<T>(body: (system: StoppedSystem) => T): { readonly value: T; readonly cost: StopCost };

  /**
   * The same for one task, others run on; it runs on afterwards also where it
   * stood still after `left` before. undefined where the task is no more. Throws `Unstoppable`.
   */
  stoppedTask<T>(task: TaskId, body: (stack: Stack) => T): { readonly value: T; readonly cost: StopCost } | undefined;

  /** Takes a task that stands still (inside `stopped` or `stoppedTask`, or after `left`) out of the behind set; at once for that task. */
  advance(task: TaskId): void;

  /**
   * Arranges that the task stops, with an event `left`, exactly when it returns
   * from this frame. Only while the task stands still; in place of an earlier watch
   * of the task, and ended by its event. false where the machine has
   * no means for it now: then the core looks again from time to time.
   *
   * @param alsoCalls it has been in this frame for so long that it may leave it without returning, and come
   * again by the same call: there it stops, too, where the machine can have that
   */
  watch(task: TaskId, frame: Frame, alsoCalls: boolean): boolean;

  /**
   * Ends the watching of a task, if there is any; where it stands still already
   * because of it, it runs on, and its event does not come any more.
   */
  unwatch(task: TaskId): void;

  /** Lets a task run on that stands still after `left`. */
  resume(task: TaskId): void;

  /** Whether the system has work for processors that it shares with us, as far as can be told in a moment. */
  isBusy(): boolean;

  /**
   * Waits for what happens next, at most until the deadline (in terms of `now`).
   * With a deadline that has passed: what has happened already, else `deadline`, at once.
   */
  next(deadline: number): Promise<MachineEvent>;

  doing(task: TaskId): Doing;

  /**
   * Whether the system has stacks that are no task's now and will go on where they were left, as those
   * of coroutines; at least whether one will come to code in these ranges. Then its tasks are not all that
   * runs in a universe. It may look for long, and not in a stop.
   */
  hasSuspended(ranges: readonly CodeRange[]): boolean;

  /**
   * Such a stack that will come to code in these ranges: to which address, and in words where that lies.
   * undefined where there is none. In a stop it is exact; at other times all may be otherwise at once.
   */
  suspendedIn(ranges: readonly CodeRange[]): { readonly address: number; readonly where: string } | undefined;

  /** Calls a function of a patch inside the system (a callback) and gives what it returns, 32 bits, signed. */
  call(entry: number): Promise<number>;

  /**
   * Sites that are no more, their object was unmapped: no hook is there any more,
   * and nothing is ever written there. Unknown ones are passed over.
   */
  forget(sites: readonly Site[]): void;

  /** Replaces the record alone, as a whole or not at all, without stopping anything. */
  save(record: string): void;

  /** The record of the last change or `save`; undefined in a system that has none. */
  record(): string | undefined;
}
