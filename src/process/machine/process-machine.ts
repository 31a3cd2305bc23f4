/** A running process as the core's machine: threads by ptrace, stacks by call-frame information, hooks in its code. */
import { setImmediate as nextTurn, setTimeout } from "node:timers/promises";
import type { ThreadPointerSource } from "../../arch/hook-abi.ts";
import type {
  CodeRange,
  Doing,
  Frame,
  MachineEvent,
  Obstacle,
  Site,
  Stack,
  StopCost,
  StoppedSystem,
  TaskId,
} from "../../core/machine.ts";
import type { Refusal } from "../../patch/refusal.ts";
import { ProcessHooks, type SitePreparation } from "../hooks/process-hooks.ts";
import { recover } from "../hooks/recover.ts";
import { findRoom } from "../hooks/room.ts";
import type { Mapping, NewCode, PatchedProcess } from "../loader/patched-process.ts";
import { hasShadowStack, threadPointerSource } from "../os/processor-features.ts";
import { doingOf, wantsProcessors } from "../os/task-doing.ts";
import type { ImageStore } from "../stack/images.ts";
import type { Region } from "../stack/regions.ts";
import { StrayStacks } from "../stack/suspended/stray-stacks.ts";
import { SuspendedStacks } from "../stack/suspended/suspended-stacks.ts";
import { Unwinder } from "../stack/unwinder.ts";
import { findControl, withSites } from "../store/find-control.ts";
import type { Json } from "../store/json.ts";
import { TracedProcess } from "../tracer/traced-process.ts";
import { BorrowedCalls, type BorrowingCost } from "./borrowed-calls.ts";
import { regionOfCode, regionsOfHooks } from "./hook-regions.ts";
import { orWhy, whoIsInside } from "./inside.ts";
import { ProcessMapper } from "./process-mapper.ts";
import { StoppedProcess } from "./stopped-process.ts";
import { WatchNet } from "./watch-net.ts";
import { WatchedTasks } from "./watched-tasks.ts";

/** How long to look for a watched task without a pause, and the pause after that, milliseconds. */
const EAGER_MS = 1;
const PAUSE_MS = 1;
/** How long at most a caller that never waits keeps Node from hearing of a signal, milliseconds. */
const DEAF_MS = 50;
/** Tasks that are asked to stop at each turn of another one. */
const ASKED_AHEAD = 4;

/** One at a time for a process: tracing is exclusive. Disposed of, it lets every thread go; hooks stay. */
export class ProcessMachine implements PatchedProcess {
  readonly pid: number;
  readonly #traced: TracedProcess;
  readonly #borrowed: BorrowedCalls;
  readonly #source: ThreadPointerSource;
  readonly #unwinder: Unwinder;
  readonly #mapper: ProcessMapper;
  readonly #hooks: ProcessHooks;
  readonly #newCode = new Map<NewCode, Region>();
  /** Tasks that are behind and were not stopped since they are. */
  readonly #unseen = new Set<TaskId>();
  readonly #watched: WatchedTasks;
  /** Of the change that the core makes next. */
  #nextExtra: Json | undefined;
  readonly #net: WatchNet;
  readonly #strays: StrayStacks;
  /** When Node was last let have a turn. */
  #lastTurn = performance.now();

  /**
   * Attaches to a process, takes over what is loaded there, and finishes or undoes
   * a change that was left half made. Throws what tracing throws, `CONTROL_CORRUPT`,
   * and `REPAIR_BLOCKED` where a half-made change cannot be finished now.
   *
   * @param images shared by the machines of many processes of the same program
   * @param isMapped whether a site (its id) is still what was hooked: a library that was
   * closed took its hooks with it. What is left of others is for `forget`.
   */
  static attach(pid: number, images?: ImageStore, isMapped: (site: string) => boolean = () => true): ProcessMachine {
    return ProcessMachine.#open(pid, images, isMapped, false);
  }

  /** The same for a look alone: nothing in the process is changed or repaired, and nothing can be. */
  static lookAt(pid: number, images?: ImageStore, isMapped: (site: string) => boolean = () => true): ProcessMachine {
    return ProcessMachine.#open(pid, images, isMapped, true);
  }

  static #open(
    pid: number,
    images: ImageStore | undefined,
    isMapped: (site: string) => boolean,
    isLookedAt: boolean,
  ): ProcessMachine {
    const traced = new TracedProcess(pid);
    try {
      const machine = new ProcessMachine(traced, images, isLookedAt);
      machine.#takeOver(isMapped, isLookedAt);
      return machine;
    } catch (error) {
      traced[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(traced: TracedProcess, images: ImageStore | undefined, isLookedAt: boolean) {
    const { pid, memory } = traced;
    this.pid = pid;
    this.#traced = traced;
    this.#unwinder = new Unwinder(pid, { read: (address, size) => memory.tryRead(address, size) }, images);
    const stacks = new SuspendedStacks(pid, memory, this.#unwinder);
    this.#strays = new StrayStacks(stacks, () => this.#traced.attend());
    this.#borrowed = new BorrowedCalls(this.#traced, () => this.#mapper.mappings());
    this.#mapper = new ProcessMapper(pid, (number, args) => this.#borrowed.systemCall(number, args));
    this.#source = threadPointerSource(pid);
    this.#hooks = new ProcessHooks(memory, this.#mapper, this.#source, {
      hasShadowStack: hasShadowStack(pid),
      isLookedAt,
    });
    this.#net = new WatchNet(memory, this.#hooks, (number, args) => this.#borrowed.systemCall(number, args));
    this.#watched = new WatchedTasks(this.#traced, this.#net);
  }

  [Symbol.dispose](): void {
    this.#traced[Symbol.dispose]();
  }

  #takeOver(isMapped: (site: string) => boolean, isLookedAt: boolean): void {
    const { memory } = this.#traced;
    const mappings = this.#mapper.freshMappings();
    const found = findControl(mappings, memory);
    if (found !== undefined && isLookedAt) {
      this.#hooks.adopt(withSites(found, isMapped));
      this.#refreshRegions();
    } else if (found !== undefined) {
      this.#hooks.adopt(found);
      this.#refreshRegions();
      recover(withSites(found, isMapped), this.#hooks, memory, (body) => this.#whileStopped(body).value);
      this.#net.adopt(found.record !== undefined && memory.read(found.layout.net, 1)[0] === 1);
      this.#refreshRegions();
      if (!this.#hooks.isChoosing) this.#doWithoutNet();
    }
    this.#unwinder.prepare({ mappings });
  }

  get hasControl(): boolean {
    return this.#hooks.layout !== undefined;
  }

  now(): number {
    return performance.now();
  }

  stopped<T>(body: (system: StoppedSystem) => T): { readonly value: T; readonly cost: StopCost } {
    const done = this.#whileStopped((stopped) => {
      const value = body({
        tasks: stopped.tasks,
        behind: () => stopped.behind(this.#hooks),
        stack: (task) => stopped.stack(task),
        commit: (change) => this.#commit(stopped, change),
      });
      if (this.#net.isSet && !this.#hooks.isChoosing) this.#traced.forgetTraps();
      return value;
    });
    if (this.#net.isSet && !this.#hooks.isChoosing) this.#net.takeAway();
    return done;
  }

  #commit(stopped: StoppedProcess, change: Parameters<StoppedSystem["commit"]>[0]): Obstacle | undefined {
    const chooses = [...change.hooks.values()].some(({ kind }) => kind === "choose") || change.behind.size > 0;
    const behind = chooses ? stopped.threadPointersOf(change.behind, this.#source) : [];
    const { hooks, record: core } = change;
    const known = { sites: this.#hooks.sites.length, areas: this.#hooks.areas.length };
    const obstacle = this.#hooks.commit({ hooks, behind, core, extra: this.#nextExtra }, stopped);
    if (obstacle !== undefined) return obstacle;
    this.#nextExtra = undefined;
    this.#unseen.clear();
    for (const task of change.behind) this.#unseen.add(task);
    // All is as it was where the sites had been prepared: nothing to compute in a stop.
    if (this.#hooks.sites.length !== known.sites || this.#hooks.areas.length !== known.areas) this.#refreshRegions();
    return undefined;
  }

  stoppedTask<T>(task: TaskId, body: (stack: Stack) => T): { readonly value: T; readonly cost: StopCost } | undefined {
    this.#askAhead(task);
    return this.#traced.stoppedTask(task, () => this.#whileStanding([task], (stopped) => body(stopped.stack(task))));
  }

  /** Those that are likely to be looked at next stop meanwhile: each has to be given a processor for it. */
  #askAhead(task: TaskId): void {
    this.#unseen.delete(task);
    let asked = 0;
    for (const next of this.#unseen) {
      if (asked++ === ASKED_AHEAD) return;
      this.#unseen.delete(next);
      this.#traced.askToStop(next);
    }
  }

  #whileStopped<T>(body: (stopped: StoppedProcess) => T): { readonly value: T; readonly cost: StopCost } {
    return this.#traced.stopped(() => {
      this.#strays.isStopped = true;
      try {
        return this.#whileStanding(this.#traced.tasks, body);
      } finally {
        this.#strays.isStopped = false;
      }
    });
  }

  #whileStanding<T>(tasks: readonly TaskId[], body: (stopped: StoppedProcess) => T): T {
    this.#unwinder.beginStop();
    this.#borrowed.standing = tasks[0];
    try {
      const canTell = (isOnOther: boolean): boolean => this.#strays.canTell(isOnOther);
      const stopped = new StoppedProcess(tasks, this.#traced, this.#unwinder, this.#hooks, canTell);
      return body(stopped);
    } finally {
      this.#borrowed.standing = undefined;
    }
  }

  advance(task: TaskId): void {
    this.#hooks.advance(this.#traced.registers(task).threadPointer);
  }

  watch(task: TaskId, frame: Frame, alsoCalls: boolean): boolean {
    return this.#watched.watch(task, frame, alsoCalls, this.#hooks.entries);
  }

  unwatch(task: TaskId): void {
    this.#watched.unwatch(task);
  }

  resume(task: TaskId): void {
    this.#traced.resume(task);
  }

  isBusy(): boolean {
    return wantsProcessors(this.pid, this.#traced.tasks);
  }

  async next(deadline: number): Promise<MachineEvent> {
    let eager = this.#watched.isEmpty ? 0 : this.now() + EAGER_MS;
    for (let passed = this.#traced.signals; ; ) {
      for (let event = this.#traced.poll(); event !== undefined; event = this.#traced.poll()) {
        if (event.kind === "died") this.#watched.forget(event.task);
        if (event.kind !== "left") return event;
        if (this.#watched.hasLeft(event.task)) {
          // Nothing may be armed once the net is gone, and only tasks that are watched keep it.
          this.unwatch(event.task);
          return event;
        }
        this.#traced.resume(event.task);
      }
      const now = this.now();
      // A thread that waited here for each of its signals would do nothing else, where they come fast.
      if (this.#traced.signals !== passed) eager = now + EAGER_MS;
      passed = this.#traced.signals;
      const isOver = now >= deadline;
      if (isOver && now < this.#lastTurn + DEAF_MS) return { kind: "deadline" };
      this.#traced.letAskedGo();
      await (isOver || now < eager ? nextTurn() : setTimeout(Math.min(PAUSE_MS, deadline - now)));
      this.#lastTurn = this.now();
    }
  }

  doing(task: TaskId): Doing {
    return doingOf(this.pid, task);
  }

  hasSuspended(ranges: readonly CodeRange[]): boolean {
    return this.#strays.exist(ranges);
  }

  suspendedIn(ranges: readonly CodeRange[]): { readonly address: number; readonly where: string } | undefined {
    return this.#strays.in(ranges);
  }

  async call(entry: number): Promise<number> {
    const [area] = this.#hooks.areas;
    if (area === undefined) throw new Error("there is no code of ours to return to");
    return this.#borrowed.call(entry, area.trapHandler);
  }

  callNow(entry: number, outside: readonly CodeRange[], patience: number): boolean {
    const [area] = this.#hooks.areas;
    if (area === undefined) throw new Error("there is no code of ours to return to");
    return this.#borrowed.callNow(entry, area.trapHandler, patience, (task) => {
      this.#unwinder.beginStop();
      const stack = this.#unwinder.stack(this.#traced.registers(task));
      const isOutside = ({ ip }: Frame): boolean => !outside.some(({ start, end }) => ip >= start && ip < end);
      return stack.kind === "reliable" && stack.frames.every(isOutside);
    });
  }

  forget(sites: readonly Site[]): void {
    this.#hooks.forget(new Set(sites.map(({ id }) => id)));
    this.#refreshRegions();
  }

  save(record: string): void {
    this.#hooks.saveCore(record);
  }

  record(): string | undefined {
    return this.#hooks.state.core;
  }

  extra(): Json | undefined {
    return this.#hooks.state.extra;
  }

  saveExtra(extra: Json): void {
    this.#hooks.saveExtra(extra);
  }

  extraWithNextCommit(extra: Json): void {
    this.#nextExtra = extra;
  }

  examineSite(site: Site, paddingEnd?: number): Refusal | undefined {
    return this.#hooks.examine({ site, paddingEnd });
  }

  isDispatching(task: TaskId): boolean {
    return this.#traced.isDispatching(task);
  }

  isHooked({ id }: Site): boolean {
    return this.#hooks.state.sites.has(id);
  }

  prepareSites(sites: readonly SitePreparation[], taken: readonly CodeRange[] = []): void {
    this.#hooks.prepare(sites, taken);
    this.#refreshRegions();
  }

  together(body: () => void): BorrowingCost {
    return this.#borrowed.together(body);
  }

  room(near: CodeRange, size: number): CodeRange {
    return findRoom(this.#mapper.freshMappings(), near, size);
  }

  map(mapping: Mapping): void {
    this.#mapper.map(mapping, mapping.protection);
  }

  unmap(range: CodeRange): void {
    this.#mapper.unmap(range);
  }

  read(address: number, size: number): Buffer {
    return this.#traced.memory.read(address, size);
  }

  write(address: number, bytes: Uint8Array): void {
    this.#traced.memory.write(address, bytes);
  }

  registerCode(code: NewCode): void {
    this.#newCode.set(code, regionOfCode(code));
    this.#refreshRegions();
  }

  forgetCode({ start, end }: CodeRange): void {
    for (const code of [...this.#newCode.keys()])
      if (code.range.start < end && start < code.range.end) this.#newCode.delete(code);
    this.#refreshRegions();
  }

  tasksIn(ranges: readonly CodeRange[]): readonly Obstacle[] {
    return whoIsInside(this.pid, ranges, this.#strays, (body) => this.#whileStopped(body).value);
  }

  dropControl(): Obstacle | undefined {
    if (!this.hasControl) return undefined;
    this.#doWithoutNet();
    const leave = (): Obstacle | undefined =>
      this.#whileStopped((stopped) => stopped.leaveTrampolines(this.#hooks)).value;
    const value = orWhy(leave, (why) => why);
    if (value !== undefined) return value;
    this.#hooks.drop();
    this.#refreshRegions();
    return undefined;
  }

  #refreshRegions(): void {
    this.#unwinder.setRegions([...this.#newCode.values(), ...regionsOfHooks(this.#hooks)]);
  }

  #doWithoutNet(): void {
    if (!this.#net.isSet) return;
    this.#whileStopped(() => this.#traced.forgetTraps());
    this.#net.takeAway();
  }
}
