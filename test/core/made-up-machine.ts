/**
 * The tool's hand on a made-up system. Tasks run on at every step of the tool,
 * as far as they do not stand still; the tool can be killed at every step.
 */

import type {
  Change,
  CodeRange,
  Doing,
  Frame,
  Machine,
  MachineEvent,
  Obstacle,
  Site,
  Stack,
  StopCost,
  StoppedSystem,
  TaskId,
} from "../../src/core/machine.ts";
import { Unstoppable } from "../../src/core/unstoppable.ts";
import { SutureError } from "../../src/lib/error.ts";
import type { MadeUpSystem, SystemTask } from "./made-up-system.ts";

/** The tool is dead: nothing that it does any more reaches the system. */
export class Killed {}

/** Code of errors that nobody expects. */
export const FAULT = "MADE_UP_FAULT";

export interface MachineOptions {
  /** How likely a stack cannot be read, a change meets an obstacle, a frame cannot be watched, a task does not stop. */
  readonly trouble?: number;
  /** Things that happen at given times of the machine's clock, in order. */
  readonly script?: { readonly at: number; readonly act: () => void }[];
  /** Whether frames can be watched. */
  readonly watches?: boolean;
  /** How likely others want the processors, 0 by default. */
  readonly busy?: number;
  /** To which code a stack that is no task's will come now; not there: there are no such stacks. */
  readonly suspended?: () => number | undefined;
  readonly onCommit?: (commit: () => void) => void;
  readonly onSave?: (save: () => void) => void;
  readonly onAdvance?: (task: SystemTask) => void;
  readonly onCallback?: (entry: number) => number;
}

export class MadeUpMachine implements Machine {
  readonly system: MadeUpSystem;
  readonly #options: MachineOptions;
  #life = Number.POSITIVE_INFINITY;
  #clock = 0;
  /** Which task stands still because the tool looks at it; `all` in a stop. */
  #still: SystemTask | "all" | undefined;

  constructor(system: MadeUpSystem, options: MachineOptions = {}) {
    this.system = system;
    this.#options = options;
    system.isAttached = true;
  }

  /** @param life steps until the tool is killed */
  attach(life = Number.POSITIVE_INFINITY): void {
    this.#life = life;
    this.system.isAttached = true;
  }

  /** At the end of a command: nothing stands still because of it. */
  detach(): void {
    if (!this.isDead && this.system.tasks.some((task) => task.standing || task.watched !== undefined))
      throw new Error("a command ends, and a task stands still or is watched");
    this.system.release();
  }

  get isDead(): boolean {
    return this.#life <= 0;
  }

  now(): number {
    return this.#clock;
  }

  stopped<T>(body: (system: StoppedSystem) => T): { readonly value: T; readonly cost: StopCost } {
    this.#step();
    const { system } = this;
    const tasks = system.tasks.map((task) => task.id);
    const [first] = tasks;
    if (first !== undefined && this.#trouble(4)) throw unstoppable(first);
    this.#still = "all";
    try {
      const value = body({
        tasks,
        behind: () => new Set(system.tasks.filter((task) => system.isBehind(task)).map((task) => task.id)),
        stack: (task) => this.#stack(this.#task(task)),
        commit: (change) => this.#commit(change),
      });
      return { value, cost: { tasks: tasks.length, stoppedUs: 10 * tasks.length } };
    } finally {
      this.#still = undefined;
      this.#step();
    }
  }

  stoppedTask<T>(id: TaskId, body: (stack: Stack) => T): { readonly value: T; readonly cost: StopCost } | undefined {
    this.#step();
    const task = this.system.find(id);
    if (task === undefined) return undefined;
    if (this.#trouble(4)) {
      this.#release(task);
      throw unstoppable(id);
    }
    task.standing = true;
    this.#still = task;
    try {
      const value = body(this.#stack(task));
      this.#step();
      return { value, cost: { tasks: 1, stoppedUs: 10 } };
    } finally {
      this.#still = undefined;
      if (!this.isDead) this.#release(task);
    }
  }

  hasSuspended(_ranges: readonly CodeRange[]): boolean {
    return this.#options.suspended !== undefined;
  }

  suspendedIn(ranges: readonly CodeRange[]): { readonly address: number; readonly where: string } | undefined {
    const address = this.#options.suspended?.();
    const isThere = address !== undefined && ranges.some(({ start, end }) => start <= address && address < end);
    return isThere ? { address, where: "somewhere" } : undefined;
  }

  advance(id: TaskId): void {
    const task = this.#task(id);
    if (this.#still !== "all") this.#step();
    this.#mustStandStill(task);
    this.system.behind.delete(task.pointer);
    this.#options.onAdvance?.(task);
  }

  watch(id: TaskId, frame: Frame): boolean {
    const task = this.#task(id);
    this.#step();
    this.#mustStandStill(task);
    const index = task.stack.findIndex((each) => each.cfa === frame.cfa);
    const caller = task.stack[index - 1];
    if (index < 0) throw new Error(`task ${id} has no frame ${frame.cfa.toString(16)}`);
    if (caller === undefined || this.#options.watches === false || this.#trouble(3)) return false;
    task.watched = { cfa: frame.cfa, returnsTo: caller.ip };
    return true;
  }

  unwatch(id: TaskId): void {
    this.#step();
    const task = this.system.find(id);
    if (task === undefined) return;
    task.watched = undefined;
    if (this.#still !== task) this.#release(task);
  }

  resume(id: TaskId): void {
    this.#step();
    const task = this.system.find(id);
    if (task !== undefined) this.#release(task);
  }

  isBusy(): boolean {
    const { busy = 0 } = this.#options;
    return busy > 0 && this.system.random.chance(busy);
  }

  async next(deadline: number): Promise<MachineEvent> {
    const { system } = this;
    for (;;) {
      this.#step();
      if (system.isGone) return { kind: "gone", why: "it ended" };
      const event = system.events.shift();
      if (event !== undefined) return event;
      if (this.#clock >= deadline) return { kind: "deadline" };
      const scripted = this.#options.script?.[0]?.at ?? Number.POSITIVE_INFINITY;
      if (system.isIdle) {
        this.#clock = Math.min(deadline, Math.max(scripted, this.#clock));
        continue;
      }
      const left = deadline - this.#clock;
      this.#clock = system.random.chance(0.3) ? deadline : this.#clock + Math.min(left, system.random.next() * 5);
    }
  }

  doing(id: TaskId): Doing {
    const blockedIn = this.system.find(id)?.blockedIn;
    return blockedIn === undefined ? { kind: "running" } : { kind: "blocked", in: blockedIn };
  }

  async call(entry: number): Promise<number> {
    this.#step();
    const result = this.#options.onCallback?.(entry) ?? 0;
    this.#step();
    return result;
  }

  forget(sites: readonly Site[]): void {
    this.#step();
    for (const site of sites) this.system.hooks.delete(site.id);
  }

  save(record: string): void {
    this.#step();
    const save = () => {
      this.system.record = record;
    };
    this.#fault();
    if (this.#options.onSave === undefined) save();
    else this.#options.onSave(save);
    this.#fault();
    this.#step();
  }

  record(): string | undefined {
    return this.system.record;
  }

  /** One step of the tool: the others do something meanwhile, and it may be the last. */
  #step(): void {
    const { system } = this;
    if (this.isDead) throw new Killed();
    this.#life--;
    if (this.isDead) {
      system.release();
      throw new Killed();
    }
    this.#clock += 0.01;
    const { script } = this.#options;
    while (this.#still === undefined && script !== undefined && (script[0]?.at ?? this.#clock + 1) <= this.#clock)
      script.shift()?.act();
    if (this.#still !== "all") system.run(system.random.below(6));
    if (system.isGone && this.#still === undefined)
      throw new SutureError("TARGET_GONE", "the made-up system is no more");
  }

  #commit(change: Change): Obstacle | undefined {
    const { system } = this;
    this.#step();
    const victim = system.random.of(system.tasks);
    if (victim !== undefined && this.#trouble(1))
      return { task: victim.id, why: "stands in the first bytes of a hook" };
    const commit = () => {
      for (const [site, hook] of change.hooks) {
        if (!system.sites.has(site.id)) throw new Error(`${site.id} is written to, and is no more`);
        if (hook.kind === "direct" && hook.to === "original") system.hooks.delete(site.id);
        else system.hooks.set(site.id, hook);
      }
      system.behind.clear();
      for (const task of change.behind) system.behind.add(this.#task(task).pointer);
      system.record = change.record;
    };
    this.#fault();
    if (this.#options.onCommit === undefined) commit();
    else this.#options.onCommit(commit);
    this.#fault();
    this.#step();
    return undefined;
  }

  #stack(task: SystemTask): Stack {
    const frames = task.stack.map(({ ip, isReturn, cfa }) => ({ ip, isReturn, cfa })).reverse();
    if (task.entering !== undefined) return { kind: "unreliable", frames, why: "in the middle of a hook" };
    if (this.#trouble(1)) return { kind: "unreliable", frames: [], why: "no call-frame information" };
    return { kind: "reliable", frames };
  }

  /** Something fails, before a change or after it. */
  #fault(): void {
    if (this.#trouble(0.2)) throw new SutureError(FAULT, "the made-up machine has failed");
  }

  #trouble(times: number): boolean {
    if (this.system.isCalm) return false;
    return this.system.random.chance(times * (this.#options.trouble ?? 0));
  }

  #task(id: TaskId): SystemTask {
    const task = this.system.find(id);
    if (task === undefined) throw new Error(`there is no task ${id}`);
    return task;
  }

  #mustStandStill(task: SystemTask): void {
    if (this.#still !== "all" && !task.standing) throw new Error(`task ${task.id} does not stand still`);
  }

  #release(task: SystemTask): void {
    if (!task.standing) return;
    task.standing = false;
    const index = this.system.events.findIndex((event) => event.kind === "left" && event.task === task.id);
    if (index >= 0) this.system.events.splice(index, 1);
  }
}

function unstoppable(task: TaskId): Unstoppable {
  return new Unstoppable(task, "it sleeps", { where: `task ${task}`, hint: "wake it" });
}
