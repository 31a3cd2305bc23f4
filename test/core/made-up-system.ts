/**
 * A made-up system of tasks that call, return, tail-call, jump out of several
 * functions, block, are born and die. It lives on when the tool is killed, with
 * its hooks, its table of tasks behind and the record. Nothing in it knows the core.
 */
import type { CodeRange, Hook, Site, Version } from "../../src/core/machine.ts";
import type { Random } from "./random.ts";

export interface SystemFrame {
  /** undefined: code that is no site's. */
  readonly site: string | undefined;
  /** undefined: the original, or code of the program that is never patched. */
  readonly patch: string | undefined;
  readonly version: Version;
  readonly ranges: readonly CodeRange[];
  readonly cfa: number;
  ip: number;
  isReturn: boolean;
  /** Was left in there by force. */
  forced: boolean;
}

export interface SystemTask {
  readonly id: number;
  /** What the table of those behind knows a task by. A new task can have that of one that died. */
  readonly pointer: number;
  /** Outermost first. */
  readonly stack: SystemFrame[];
  /** Stands in a hook: has chosen what it enters next. */
  entering: SystemFrame | undefined;
  blockedIn: string | undefined;
  /** Stands still after its watched frame has returned. */
  standing: boolean;
  watched: { readonly cfa: number; readonly returnsTo: number } | undefined;
}

const PLAIN: CodeRange = { start: 0x100_0000, end: 0x100_1000 };
const STACK_TOP = 0x7000_0000;
const DEEPEST = 6;

export class MadeUpSystem {
  readonly random: Random;
  readonly sites = new Map<string, Site>();
  /** Ranges of every version that can be reached, by entry. */
  readonly versions = new Map<number, { readonly patch: string; readonly ranges: readonly CodeRange[] }>();
  /** New code of patches that only new versions call. */
  readonly inner = new Map<string, CodeRange>();
  readonly hooks = new Map<string, Hook>();
  readonly behind = new Set<number>();
  record: string | undefined;
  tasks: SystemTask[] = [];
  /** Ended tasks since someone last asked, and those that stand still. */
  readonly events: { readonly kind: "left" | "died"; readonly task: number }[] = [];
  isGone = false;
  /** Tasks do nothing by themselves. */
  isIdle = false;
  /** Tasks only return, nothing is in the way any more. */
  isCalm = false;
  /** While the tool is attached the end of a task is seen before its place can be used again. */
  isAttached = false;
  /** Heard of every call, for the laws. */
  onCall: ((task: SystemTask) => void) | undefined;
  #nextTask = 1;
  #nextPointer = 1000;
  readonly #freePointers: number[] = [];

  constructor(random: Random) {
    this.random = random;
  }

  bear(): SystemTask {
    const id = this.#nextTask++;
    const again = this.#freePointers.length > 0 && this.random.chance(0.7) ? this.#freePointers.pop() : undefined;
    const task: SystemTask = {
      id,
      pointer: again ?? this.#nextPointer++,
      stack: [],
      entering: undefined,
      blockedIn: undefined,
      standing: false,
      watched: undefined,
    };
    this.#push(task, { site: undefined, patch: undefined, version: "original", ranges: [PLAIN] });
    this.tasks.push(task);
    return task;
  }

  isBehind(task: SystemTask): boolean {
    return this.behind.has(task.pointer);
  }

  hook(site: string): Hook {
    return this.hooks.get(site) ?? { kind: "direct", to: "original" };
  }

  /** What a call of the site by this task reaches. */
  reached(task: SystemTask, site: string): Version {
    const hook = this.hook(site);
    if (hook.kind === "direct") return hook.to;
    return this.isBehind(task) ? hook.behind : hook.ahead;
  }

  find(id: number): SystemTask | undefined {
    return this.tasks.find((task) => task.id === id);
  }

  /** Lets some tasks do something, in any order. */
  run(steps: number): void {
    for (let step = 0; step < steps && !this.isGone && !this.isIdle; step++) {
      const task = this.tasks[this.random.below(this.tasks.length)];
      if (task !== undefined && !task.standing) this.#step(task);
    }
  }

  /** Lets a task call a function; what it reaches is its innermost frame then. */
  enter(task: SystemTask, site: string): SystemFrame {
    this.#enter(task, this.#siteOf(site), true, false);
    return task.stack.at(-1) as SystemFrame;
  }

  /** Lets a task return from its innermost frame. */
  leave(task: SystemTask): void {
    this.#return(task);
  }

  /** Lets a task jump out of its innermost frames, to where so many are left. */
  jumpOut(task: SystemTask, frames: number): void {
    task.stack.length = frames;
    this.#land(task);
  }

  die(task: SystemTask): void {
    this.#die(task);
  }

  /** As when the tool dies: whatever stood still runs on, nothing is watched. */
  release(): void {
    this.isAttached = false;
    this.events.length = 0;
    for (const task of this.tasks) {
      task.standing = false;
      task.watched = undefined;
    }
  }

  /** A forked child: its only task is a copy of one of ours, everything else is copied too. */
  fork(task: SystemTask): MadeUpSystem {
    const child = new MadeUpSystem(this.random);
    for (const [id, site] of this.sites) child.sites.set(id, site);
    for (const [entry, version] of this.versions) child.versions.set(entry, version);
    for (const [patch, range] of this.inner) child.inner.set(patch, range);
    for (const [id, hook] of this.hooks) child.hooks.set(id, hook);
    for (const pointer of this.behind) child.behind.add(pointer);
    child.record = this.record;
    const stack = task.stack.map((frame) => ({ ...frame }));
    child.tasks.push({ ...task, id: 1, stack, standing: false, watched: undefined });
    child.#nextTask = 2;
    child.#nextPointer = this.#nextPointer;
    // Places of threads that the child does not have are free in it.
    child.#freePointers.push(...this.tasks.filter((each) => each !== task).map((each) => each.pointer));
    return child;
  }

  #step(task: SystemTask): void {
    const { random } = this;
    if (task.blockedIn !== undefined) {
      if (this.isCalm || random.chance(0.3)) task.blockedIn = undefined;
      return;
    }
    if (task.entering !== undefined) {
      task.stack.push(task.entering);
      task.entering = undefined;
      return;
    }
    if (this.isCalm) {
      if (task.stack.length > 1) this.#return(task);
      return;
    }
    const dice = random.below(100);
    if (dice < 38) this.#call(task);
    else if (dice < 78) this.#return(task);
    else if (dice < 82) this.#tailCall(task);
    else if (dice < 86) this.#jumpOut(task);
    else if (dice < 92) task.blockedIn = random.chance(0.5) ? "futex" : "read";
    else if (dice < 96 && this.tasks.length < 6) this.bear();
    else if (dice < 98 && this.tasks.length > 1) this.#die(task);
  }

  #call(task: SystemTask): void {
    if (task.stack.length >= DEEPEST) return;
    const top = task.stack.at(-1);
    const inner = top?.patch === undefined ? undefined : this.inner.get(top.patch);
    if (inner !== undefined && this.random.chance(0.3)) {
      this.#leaveForCall(task);
      this.#push(task, { site: undefined, patch: top?.patch, version: "original", ranges: [inner] });
      return;
    }
    this.#callSite(task, true);
  }

  #callSite(task: SystemTask, returns: boolean): void {
    const site = this.random.of([...this.sites.values()]);
    if (site !== undefined)
      this.#enter(task, site, returns, this.hook(site.id).kind === "choose" && this.random.chance(0.15));
  }

  #siteOf(id: string): Site {
    const site = this.sites.get(id);
    if (site === undefined) throw new Error(`there is no ${id}`);
    return site;
  }

  #enter(task: SystemTask, site: Site, returns: boolean, inHook: boolean): void {
    const version = this.reached(task, site.id);
    const code =
      version === "original" ? { patch: undefined, ranges: site.original.ranges } : this.versions.get(version);
    if (code === undefined)
      throw new Error(`task ${task.id} calls ${site.id} and reaches ${version}, where no code is`);
    if (returns) this.#leaveForCall(task);
    else task.stack.pop();
    this.#push(task, { site: site.id, patch: code.patch, version, ranges: code.ranges }, inHook);
    this.onCall?.(task);
  }

  #tailCall(task: SystemTask): void {
    const top = task.stack.at(-1);
    if (top === undefined || task.stack.length < 2) return;
    const inner = top.patch === undefined ? undefined : this.inner.get(top.patch);
    if (inner === undefined || this.random.chance(0.5)) {
      this.#callSite(task, false);
      return;
    }
    task.stack.pop();
    this.#push(task, { site: undefined, patch: top.patch, version: "original", ranges: [inner] });
  }

  #return(task: SystemTask): void {
    if (task.stack.length < 2) return;
    const left = task.stack.pop();
    const { watched } = task;
    const top = this.#land(task);
    if (watched !== undefined && left?.cfa === watched.cfa && top.from === watched.returnsTo) {
      task.watched = undefined;
      task.standing = true;
      this.events.push({ kind: "left", task: task.id });
    }
  }

  /** longjmp, or an exception: nothing returns. */
  #jumpOut(task: SystemTask): void {
    if (task.stack.length < 3) return;
    this.jumpOut(task, 1 + this.random.below(task.stack.length - 1));
  }

  #land(task: SystemTask): { readonly from: number } {
    const top = task.stack.at(-1) as SystemFrame;
    const from = top.ip;
    top.isReturn = false;
    top.ip = (top.ranges[0] as CodeRange).start + 8;
    return { from };
  }

  #die(task: SystemTask): void {
    this.tasks = this.tasks.filter((each) => each !== task);
    if (this.isAttached) {
      this.behind.delete(task.pointer);
      this.events.push({ kind: "died", task: task.id });
    }
    this.#freePointers.push(task.pointer);
  }

  /** The call can be the last instruction, so that it returns to where the next function begins. */
  #leaveForCall(task: SystemTask): void {
    const top = task.stack.at(-1);
    if (top === undefined) return;
    const range = this.random.of(top.ranges) as CodeRange;
    top.isReturn = true;
    top.ip = this.random.chance(0.2) ? range.end : range.start + 1 + this.random.below(range.end - range.start);
  }

  #push(task: SystemTask, code: Pick<SystemFrame, "site" | "patch" | "version" | "ranges">, inHook = false): void {
    const ip = this.random.chance(0.2)
      ? (code.ranges[0] as CodeRange).start
      : (code.ranges.at(-1) as CodeRange).end - 1;
    const cfa = (task.stack.at(-1)?.cfa ?? STACK_TOP) - 0x40;
    const frame: SystemFrame = { ...code, cfa, ip, isReturn: false, forced: false };
    if (inHook) task.entering = frame;
    else task.stack.push(frame);
  }
}
