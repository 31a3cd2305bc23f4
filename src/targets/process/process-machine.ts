/** A running process as the core's machine: threads by ptrace, stacks by call-frame information, hooks in its code. */
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { ThreadPointerSource } from "../../arch/x86_64/hook-stubs.ts";
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
import { SutureError } from "../../lib/error.ts";
import type { Refusal } from "../../patch/refusal.ts";
import { BorrowedCalls, type BorrowingCost } from "./borrowed-calls.ts";
import { regionOfCode, regionsOfHooks } from "./hook-regions.ts";
import { findControl, withSites } from "./hooks/find-control.ts";
import { REGISTER, registerOf } from "./hooks/memory.ts";
import { ProcessHooks, type SitePreparation } from "./hooks/process-hooks.ts";
import { recover } from "./hooks/recover.ts";
import { findRoom } from "./hooks/room.ts";
import { isInMask, netAction, SIGNAL_SET_SIZE, SIGTRAP } from "./hooks/trap-net.ts";
import type { Json, Mapping, NewCode, PatchedProcess } from "./patched-process.ts";
import { ProcessMapper } from "./process-mapper.ts";
import { StoppedProcess } from "./stopped-process.ts";
import { doingOf, runningTasks } from "./task-doing.ts";
import { threadState } from "./trace/thread-list.ts";
import { TracedProcess } from "./trace/traced-process.ts";
import type { ImageStore } from "./unwind/images.ts";
import type { Region } from "./unwind/regions.ts";
import { Unwinder } from "./unwind/unwinder.ts";

const SYS_RT_SIGACTION = 13;
const WORD = 8;
/** How long to look for a watched task without a pause, and the pause after that, milliseconds. */
const EAGER_MS = 1;
const PAUSE_MS = 1;
/** How long at most a caller that never waits keeps Node from hearing of a signal, milliseconds. */
const DEAF_MS = 50;
/** How many tasks are looked at to see whether the process wants the processors: the first ones are its oldest. */
const TASKS_ASKED = 8;
/** Tasks that are asked to stop at each turn of another one. */
const ASKED_AHEAD = 4;

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
  readonly #watched = new Map<TaskId, Frame>();
  /** Of the change that the core makes next. */
  #nextExtra: Json | undefined;
  #hasNet = false;
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
    const machine = new ProcessMachine(pid, images);
    try {
      machine.#takeOver(isMapped);
      return machine;
    } catch (error) {
      machine[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(pid: number, images: ImageStore | undefined) {
    this.pid = pid;
    this.#traced = new TracedProcess(pid);
    const { memory } = this.#traced;
    const read = (address: number, size: number): Buffer | undefined => memory.tryRead(address, size);
    this.#unwinder = new Unwinder(pid, { read }, images);
    this.#borrowed = new BorrowedCalls(this.#traced, () => this.#mapper.mappings());
    this.#mapper = new ProcessMapper(pid, (number, args) => this.#borrowed.systemCall(number, args));
    this.#source = threadPointerSource(pid);
    this.#hooks = new ProcessHooks(memory, this.#mapper, this.#source, hasShadowStack(pid));
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
      this.#hasNet = found.record !== undefined && memory.read(found.layout.net, 1)[0] === 1;
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
      if (this.#hasNet && !this.#hooks.isChoosing) this.#traced.forgetTraps();
      return value;
    });
    if (this.#hasNet && !this.#hooks.isChoosing) this.#takeNetAway();
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
    return this.#traced.stopped(() => this.#whileStanding(this.#traced.tasks, body));
  }

  #whileStanding<T>(tasks: readonly TaskId[], body: (stopped: StoppedProcess) => T): T {
    this.#unwinder.beginStop();
    this.#borrowed.standing = tasks[0];
    try {
      return body(new StoppedProcess(tasks, this.#traced, this.#unwinder, this.#hooks.areas));
    } finally {
      this.#borrowed.standing = undefined;
    }
  }

  advance(task: TaskId): void {
    this.#hooks.advance(registerOf(this.#traced.registers(task), REGISTER.fsBase));
  }

  watch(task: TaskId, frame: Frame): boolean {
    if (!this.#setNet(task)) return false;
    const address = Number(this.#traced.memory.read(frame.cfa - WORD, WORD).readBigUInt64LE());
    if (!this.#traced.watch(task, address)) return false;
    this.#watched.set(task, frame);
    return true;
  }

  unwatch(task: TaskId): void {
    this.#watched.delete(task);
    this.#traced.unwatch(task);
  }

  resume(task: TaskId): void {
    this.#traced.resume(task);
  }

  isBusy(): boolean {
    if (runningTasks() <= 1) return false;
    return this.#traced.tasks.slice(0, TASKS_ASKED).some((task) => threadState(this.pid, task) === "R");
  }

  async next(deadline: number): Promise<MachineEvent> {
    const eager = this.#watched.size === 0 ? 0 : this.now() + EAGER_MS;
    for (;;) {
      for (let event = this.#traced.poll(); event !== undefined; event = this.#traced.poll()) {
        if (event.kind === "died") this.#watched.delete(event.task);
        if (event.kind !== "left") return event;
        if (this.#hasReturned(event.task)) {
          // Nothing may be armed once the net is gone, and only tasks that are watched keep it.
          this.unwatch(event.task);
          return event;
        }
        this.#traced.resume(event.task);
      }
      const now = this.now();
      const isOver = now >= deadline;
      if (isOver && now < this.#lastTurn + DEAF_MS) return { kind: "deadline" };
      this.#traced.letAskedGo();
      await (isOver || now < eager ? nextTurn() : setTimeout(Math.min(PAUSE_MS, deadline - now)));
      this.#lastTurn = this.now();
    }
  }

  /** Whether it was the watched frame that returned, and not a deeper one of a recursion by the same place. */
  #hasReturned(task: TaskId): boolean {
    const frame = this.#watched.get(task);
    if (frame === undefined) return false;
    return registerOf(this.#traced.registers(task), REGISTER.rsp) >= frame.cfa - this.#traced.slack(task);
  }

  doing(task: TaskId): Doing {
    return doingOf(this.pid, task);
  }

  async call(entry: number): Promise<number> {
    const [area] = this.#hooks.areas;
    if (area === undefined) throw new Error("there is no code of ours to return to");
    return this.#borrowed.call(entry, area.net);
  }

  callNow(entry: number, outside: readonly CodeRange[]): boolean {
    const [area] = this.#hooks.areas;
    if (area === undefined) throw new Error("there is no code of ours to return to");
    return this.#borrowed.callNow(entry, area.net, (task) => {
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
    return this.#whileStopped((stopped) => stopped.tasksIn(ranges)).value;
  }

  dropControl(): Obstacle | undefined {
    if (!this.hasControl) return undefined;
    this.#doWithoutNet();
    const { value } = this.#whileStopped((stopped) => stopped.leaveTrampolines(this.#hooks));
    if (value !== undefined) return value;
    this.#hooks.drop();
    this.#refreshRegions();
    return undefined;
  }

  #refreshRegions(): void {
    this.#unwinder.setRegions([...this.#newCode.values(), ...regionsOfHooks(this.#hooks)]);
  }

  /** Sets the net for watched tasks, once a transition. false where the program, or this task, has other plans with SIGTRAP. */
  #setNet(task: TaskId): boolean {
    const status = readFileSync(`/proc/${this.pid}/task/${task}/status`, "latin1");
    if (isInMask(status, "SigBlk", SIGTRAP)) return false;
    if (this.#hasNet || isInMask(status, "SigIgn", SIGTRAP)) return true;
    const { layout, areas } = this.#hooks;
    const area = areas[0];
    if (layout === undefined || area === undefined || isInMask(status, "SigCgt", SIGTRAP)) return false;
    this.#traced.memory.write(layout.net, Buffer.from([1]));
    this.#hasNet = this.#setDisposition(netAction(area.net, "set"));
    return this.#hasNet;
  }

  #doWithoutNet(): void {
    if (!this.#hasNet) return;
    this.#whileStopped(() => this.#traced.forgetTraps());
    this.#takeNetAway();
  }

  /** After a stop in which no task was watched any more, and what had been caused by then was forgotten. */
  #takeNetAway(): void {
    const { layout, areas } = this.#hooks;
    const area = areas[0];
    if (!this.#hasNet || layout === undefined || area === undefined) return;
    this.#setDisposition(netAction(area.net, "none"));
    this.#traced.memory.write(layout.net, Buffer.from([0]));
    this.#hasNet = false;
  }

  #setDisposition(action: number): boolean {
    return this.#borrowed.systemCall(SYS_RT_SIGACTION, [SIGTRAP, action, 0, SIGNAL_SET_SIZE]) === 0;
  }
}

const AT_HWCAP2 = 26;
const FSGSBASE = 2;

/** Whether programs may read their thread pointer by an instruction, as the kernel tells every program. */
function threadPointerSource(pid: number): ThreadPointerSource {
  let auxiliary: Buffer;
  try {
    auxiliary = readFileSync(`/proc/${pid}/auxv`);
  } catch (cause) {
    throw new SutureError("TARGET_GONE", "the process is no more", { where: `pid ${pid}`, cause });
  }
  for (let at = 0; at + 16 <= auxiliary.length; at += 16) {
    if (auxiliary.readUInt32LE(at) === AT_HWCAP2)
      return (auxiliary.readUInt32LE(at + 8) & FSGSBASE) !== 0 ? "rdfsbase" : "fs:0";
  }
  return "fs:0";
}

/** Whether the processor compares the program's return addresses with a stack of its own (CET); a program turns it on at its start. */
function hasShadowStack(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return /^x86_Thread_features:.*\bshstk\b/m.test(status);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
