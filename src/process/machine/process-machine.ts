/** A running process as the core's machine: threads by ptrace, stacks by call-frame information, hooks in its code. */
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
import type { SitePreparation } from "../hooks/hooks-in-force.ts";
import { ProcessHooks } from "../hooks/process-hooks.ts";
import { recover } from "../hooks/recover.ts";
import { findRoom } from "../hooks/room.ts";
import type { Mapping, NewCode, PatchedProcess } from "../loader/patched-process.ts";
import { hasShadowStack, threadPointerSource } from "../os/processor-features.ts";
import { doingOf, wantsProcessors } from "../os/task-doing.ts";
import type { ImageStore } from "../stack/images.ts";
import { findControl, withSites } from "../store/find-control.ts";
import type { Json } from "../store/json.ts";
import { TracedProcess } from "../tracer/traced-process.ts";
import { BorrowedCalls, type BorrowingCost } from "./borrowed-calls.ts";
import { EventLoop } from "./event-loop.ts";
import { orWhy, whoIsInside } from "./inside.ts";
import { ProcessMapper } from "./process-mapper.ts";
import { StackReader } from "./stack-reader.ts";
import { StoppedProcess } from "./stopped-process.ts";
import { WatchHandler } from "./watch-handler.ts";
import { WatchedTasks } from "./watched-tasks.ts";

/** Tasks that are asked to stop at each turn of another one. */
const ASKED_AHEAD = 4;

/** One at a time for a process: tracing is exclusive. Disposed of, it lets every thread go; hooks stay. */
export class ProcessMachine implements PatchedProcess {
  readonly pid: number;
  readonly #traced: TracedProcess;
  readonly #stacks: StackReader;
  readonly #borrowed: BorrowedCalls;
  readonly #mapper: ProcessMapper;
  readonly #source: ThreadPointerSource;
  readonly #hooks: ProcessHooks;
  readonly #handler: WatchHandler;
  readonly #watched: WatchedTasks;
  readonly #events: EventLoop;
  /** Tasks that are behind and were not stopped since they are. */
  readonly #unseen = new Set<TaskId>();
  /** The target's part of the change that the core makes next. */
  #nextTargetPart: Json | undefined;

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
    const traced = new TracedProcess(pid);
    try {
      const machine = new ProcessMachine(traced, images);
      machine.#takeOver(isMapped);
      return machine;
    } catch (error) {
      traced[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(traced: TracedProcess, images: ImageStore | undefined) {
    const { pid, memory } = traced;
    this.pid = pid;
    this.#traced = traced;
    this.#stacks = new StackReader(traced, images);
    this.#mapper = new ProcessMapper(pid, (number, args) => this.#borrowed.systemCall(number, args));
    this.#borrowed = new BorrowedCalls(traced, () => this.#mapper.mappings());
    this.#source = threadPointerSource(pid);
    this.#hooks = new ProcessHooks(memory, this.#mapper, this.#source, hasShadowStack(pid));
    this.#handler = new WatchHandler(memory, this.#hooks, (number, args) => this.#borrowed.systemCall(number, args));
    this.#watched = new WatchedTasks(traced, this.#handler);
    this.#events = new EventLoop(traced, this.#watched);
  }

  [Symbol.dispose](): void {
    this.#traced[Symbol.dispose]();
  }

  #takeOver(isMapped: (site: string) => boolean): void {
    const { memory } = this.#traced;
    const mappings = this.#mapper.freshMappings();
    const found = findControl(mappings, memory);
    if (found !== undefined) {
      this.#hooks.adopt(found);
      this.#refreshRegions();
      recover(withSites(found, isMapped), this.#hooks, memory, (body) => this.#whileStopped(body).value);
      this.#handler.adopt(found.record !== undefined && memory.read(found.layout.handlerSet, 1)[0] === 1);
      this.#refreshRegions();
      if (!this.#hooks.isChoosing) this.#doWithoutHandler();
    }
    this.#stacks.prepare(mappings);
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
      if (this.#handler.isSet && !this.#hooks.isChoosing) this.#traced.forgetTraps();
      return value;
    });
    if (this.#handler.isSet && !this.#hooks.isChoosing) this.#handler.takeAway();
    return done;
  }

  #commit(stopped: StoppedProcess, change: Parameters<StoppedSystem["commit"]>[0]): Obstacle | undefined {
    const chooses = [...change.hooks.values()].some(({ kind }) => kind === "choose") || change.behind.size > 0;
    const behind = chooses ? stopped.threadPointersOf(change.behind, this.#source) : [];
    const { hooks, record: core } = change;
    const known = { sites: this.#hooks.sites.length, areas: this.#hooks.areas.length };
    const obstacle = this.#hooks.commit({ hooks, behind, core, extra: this.#nextTargetPart }, stopped);
    if (obstacle !== undefined) return obstacle;
    this.#nextTargetPart = undefined;
    this.#unseen.clear();
    for (const task of change.behind) this.#unseen.add(task);
    // All is as it was where the sites had been prepared: nothing to compute in a stop.
    if (this.#hooks.sites.length !== known.sites || this.#hooks.areas.length !== known.areas) this.#refreshRegions();
    return undefined;
  }

  stoppedTask<T>(task: TaskId, body: (stack: Stack) => T): { readonly value: T; readonly cost: StopCost } | undefined {
    this.#askAhead(task);
    return this.#traced.stoppedTask(task, () => {
      this.#stacks.unwinder.beginStop();
      return this.#whileStanding([task], (stopped) => body(stopped.stack(task)));
    });
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
    return this.#stacks.stopped((tasks) => this.#whileStanding(tasks, body));
  }

  /** What the body asks to be done in the process is done by one of these tasks. */
  #whileStanding<T>(tasks: readonly TaskId[], body: (stopped: StoppedProcess) => T): T {
    const { unwinder, canBeTold } = this.#stacks;
    return this.#borrowed.byStanding(tasks, () =>
      body(new StoppedProcess(tasks, this.#traced, { unwinder, hooks: this.#hooks, canBeTold })),
    );
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

  next(deadline: number): Promise<MachineEvent> {
    return this.#events.next(deadline);
  }

  doing(task: TaskId): Doing {
    return doingOf(this.pid, task);
  }

  hasSuspended(ranges: readonly CodeRange[]): boolean {
    return this.#stacks.strays.exist(ranges);
  }

  suspendedIn(ranges: readonly CodeRange[]): { readonly address: number; readonly where: string } | undefined {
    return this.#stacks.strays.in(ranges);
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
      const { unwinder } = this.#stacks;
      unwinder.beginStop();
      const stack = unwinder.stack(this.#traced.registers(task));
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

  targetPart(): Json | undefined {
    return this.#hooks.state.extra;
  }

  saveTargetPart(part: Json): void {
    this.#hooks.saveTargetPart(part);
  }

  targetPartWithNextCommit(part: Json): void {
    this.#nextTargetPart = part;
  }

  examineSite(site: Site, paddingEnd?: number): Refusal | undefined {
    return this.#hooks.examine({ site, paddingEnd });
  }

  isDispatching(task: TaskId): boolean {
    return this.#traced.isDispatching(task);
  }

  isHooked(site: Site): boolean {
    return this.#hooks.isHooked(site);
  }

  prepareSites(sites: readonly SitePreparation[], taken: readonly CodeRange[] = []): void {
    this.#hooks.prepare(sites, taken);
    this.#refreshRegions();
  }

  together(body: () => void): BorrowingCost {
    return this.#borrowed.together(body);
  }

  room(near: CodeRange, size: number): CodeRange | undefined {
    return findRoom(this.#mapper.freshMappings(), near, size);
  }

  map(mapping: Mapping): boolean {
    return this.#mapper.map(mapping, mapping.protection);
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
    this.#stacks.registerCode(code, this.#hooks);
  }

  forgetCode(range: CodeRange): void {
    this.#stacks.forgetCode(range, this.#hooks);
  }

  tasksIn(ranges: readonly CodeRange[]): readonly Obstacle[] {
    return whoIsInside(this.pid, ranges, this.#stacks.strays, (body) => this.#whileStopped(body).value);
  }

  dropControl(): Obstacle | undefined {
    if (!this.hasControl) return undefined;
    this.#doWithoutHandler();
    const leave = (): Obstacle | undefined =>
      this.#whileStopped((stopped) => stopped.leaveTrampolines(this.#hooks)).value;
    const value = orWhy(leave, (why) => why);
    if (value !== undefined) return value;
    this.#hooks.drop();
    this.#refreshRegions();
    return undefined;
  }

  #refreshRegions(): void {
    this.#stacks.refreshRegions(this.#hooks);
  }

  #doWithoutHandler(): void {
    if (!this.#handler.isSet) return;
    this.#whileStopped(() => this.#traced.forgetTraps());
    this.#handler.takeAway();
  }
}
