/** The hooks of one process: what is in force, what is ready to be, and the change from one to the next. */

import type { ThreadPointerSource } from "../../arch/hook-abi.ts";
import { describeSite } from "../../core/holder.ts";
import type { CodeRange, Hook, Obstacle, Site, Stack } from "../../core/machine.ts";
import { SutureError } from "../../lib/error.ts";
import { otherKeys } from "../../lib/format.ts";
import type { Refusal } from "../../patch/refusal.ts";
import { nativeHook } from "../os/native.ts";
import { readTable, TAKE_OUT, tableSize } from "../store/behind-table.ts";
import { CONTROL_SIZE, ControlLayout, MAGIC } from "../store/control-layout.ts";
import type { FoundControl } from "../store/find-control.ts";
import type { Json } from "../store/json.ts";
import type { ProcessMemory, StoppedThreads } from "../store/memory.ts";
import { areaOfSite } from "../store/record-consistency.ts";
import { type ControlRecord, recordSchema } from "../store/record-schema.ts";
import { type ChangePlan, type HookState, planChange, recordOf } from "./change-plan.ts";
import { findHindrance, moveTasks } from "./entry-tasks.ts";
import { damagedRecord, examine, fromRecord, type HookedSite, unhooked } from "./hooked-site.ts";
import { type Mapper, mapNear } from "./mapper.ts";
import { StackReferences } from "./stack-references.ts";
import { StubArea } from "./stub-area.ts";
import { writeChange, writeRecord } from "./write-change.ts";

/** All tasks, while they stand still; none stands in a stub. */
export interface StoppedTasks extends StoppedThreads {
  readonly tasks: readonly number[];
  stack(task: number): Stack;
  /** What lies on the task's stack, up to the end of that memory; undefined where that cannot be told. */
  stackMemory(task: number): Buffer | undefined;
}

/** A change as the core asks for it. Sites that it does not name keep their hooks. */
export interface HookChange {
  readonly hooks: ReadonlyMap<Site, Hook>;
  /** Thread pointers. */
  readonly behind: readonly number[];
  readonly core: string;
  /** The target's part, if it changes with this. */
  readonly extra: Json | undefined;
}

/** A function that is to be hooked later, and how far the bytes behind it are known to be no one's. */
export interface SitePreparation {
  readonly site: Site;
  readonly paddingEnd?: number | undefined;
}

const AREA_SIZE = 1 << 16;
/** Stubs of how many changes an area holds before it has to be proved that they are free again. */
const CHANGES_PER_AREA = 4;
const EMPTY: HookState = { number: 0, table: 0, bits: 0, sites: new Map(), core: undefined, extra: undefined };

/**
 * All that it knows can be found again in the control mapping; it keeps that at hand,
 * so that a stop has nothing to read.
 */
export class ProcessHooks {
  readonly #memory: ProcessMemory;
  readonly #mapper: Mapper;
  readonly #source: ThreadPointerSource;
  readonly #hasShadowStack: boolean;
  readonly #isLookedAt: boolean;
  #layout: ControlLayout | undefined;
  #state = EMPTY;
  #areas: StubArea[] = [];
  /** Sites that are ready to be hooked and never were. */
  readonly #prepared = new Map<string, HookedSite>();
  /** Offsets in the table in use of the thread pointers that are in it. */
  #behind: ReadonlyMap<number, number> = new Map();

  /** @param isLookedAt nothing of the process is written: what is saved is for this object alone */
  constructor(
    memory: ProcessMemory,
    mapper: Mapper,
    source: ThreadPointerSource,
    { hasShadowStack = false, isLookedAt = false } = {},
  ) {
    this.#memory = memory;
    this.#mapper = mapper;
    this.#source = source;
    this.#hasShadowStack = hasShadowStack;
    this.#isLookedAt = isLookedAt;
  }

  get state(): HookState {
    return this.#state;
  }

  get layout(): ControlLayout | undefined {
    return this.#layout;
  }

  get areas(): readonly StubArea[] {
    return this.#areas;
  }

  /** Thread pointers of the tasks that are behind. */
  get behind(): ReadonlySet<number> {
    return new Set(this.#behind.keys());
  }

  /** Entries of the functions that have hooks. */
  get entries(): ReadonlySet<number> {
    return new Set([...this.#state.sites.values()].map(({ entry }) => entry));
  }

  /** Whether a task that is about to execute the instruction there will choose a version, and has executed nothing of one. */
  isAtChoice(ip: number): boolean {
    for (const { entry, displacement, hook } of this.#state.sites.values())
      if (hook.kind === "choose" && (ip === entry || ip === displacement.hookAt)) return true;
    return false;
  }

  get isChoosing(): boolean {
    return [...this.#state.sites.values()].some(({ hook }) => hook.kind === "choose");
  }

  /** Takes over what is there; only areas that are really mapped count. */
  adopt({ layout, record }: FoundControl): void {
    if (record === undefined) {
      if (!this.#isLookedAt) this.#begin(layout);
      return;
    }
    this.#layout = layout;
    this.#state = stateOf(record);
    const mappings = this.#mapper.mappings().filter(({ executable, inode }) => executable && inode === 0);
    this.#areas = record.areas
      .filter(({ start, end }) => mappings.some((each) => each.start <= start && each.end >= end))
      .map((area) => new StubArea(area));
    const lost = [...this.#state.sites.values()].find(
      ({ trampoline }) => areaOfSite({ trampoline: trampoline.start }, this.#areas) === undefined,
    );
    if (lost !== undefined) throw damagedRecord(lost.id);
    this.#behind = this.isChoosing
      ? readTable(this.#memory.read(layout.table(record.table), tableSize(record.bits)))
      : new Map();
  }

  /** Puts the target's part into the record, and makes the control mapping if there is none. */
  saveExtra(extra: Json): void {
    this.#save({ ...this.#state, extra });
  }

  /** Puts the core's part into the record. */
  saveCore(core: string): void {
    this.#save({ ...this.#state, core });
  }

  /** Forgets sites whose memory is no more. */
  forget(ids: ReadonlySet<string>): void {
    for (const id of ids) this.#prepared.delete(id);
    const sites = new Map([...this.#state.sites].filter(([id]) => !ids.has(id)));
    if (sites.size < this.#state.sites.size) this.#save({ ...this.#state, sites });
  }

  examine({ site, paddingEnd }: SitePreparation): Refusal | undefined {
    if (this.#known(site) !== undefined) return undefined;
    const found = this.#examine(site, paddingEnd);
    return found.kind === "refusal" ? found : undefined;
  }

  #examine(site: Site, paddingEnd: number | undefined): ReturnType<typeof examine> {
    const read = (address: number, size: number): Buffer => this.#memory.read(address, size);
    return examine(site, read, paddingEnd, this.#hasShadowStack);
  }

  /** @param taken room that is not mapped yet, and not for what is mapped here */
  prepare(sites: readonly SitePreparation[], taken: readonly CodeRange[] = []): void {
    for (const each of sites) {
      if (this.#known(each.site) === undefined) this.#prepare(each, sites.length, taken);
    }
  }

  #prepare({ site, paddingEnd }: SitePreparation, count: number, taken: readonly CodeRange[]): void {
    const found = this.#examine(site, paddingEnd);
    if (found.kind === "refusal") {
      throw new SutureError(found.code, found.what, { where: found.where, hint: found.hint });
    }
    const size = nativeHook().trampolineSize(found);
    const near = { start: found.hookAt, end: found.hookAt + found.bytes.length };
    for (const area of [...this.#areas, undefined]) {
      if (area !== undefined && !isNear(area, near.start)) continue;
      const room = area ?? this.#addArea(near, count, taken);
      const at = room.takeTrampoline(size);
      if (at === undefined) continue;
      const ready = unhooked(site, found, at);
      this.#memory.write(at, ready.trampoline.bytes);
      this.#prepared.set(site.id, ready);
      return;
    }
    throw new SutureError("NO_ROOM_IN_REACH", `${describeSite(site.id)} has no room for its trampoline`);
  }

  /** A new area near some code. The record has it before it is mapped: it cannot be lost. */
  #addArea(near: CodeRange, sites: number, taken: readonly CodeRange[]): StubArea {
    this.#ensureControl(taken);
    const wanted = 2 * sites * nativeHook().stubSize * 2 * CHANGES_PER_AREA;
    const size = Math.max(AREA_SIZE, Math.ceil(wanted / AREA_SIZE) * AREA_SIZE);
    const before = this.#areas;
    try {
      mapNear(this.#mapper, { near, size, taken }, "r-x", (chosen) => {
        this.#areas = [...before, StubArea.fresh(chosen)];
        this.#save(this.#state);
      });
      const area = this.#areas.at(-1) as StubArea;
      this.#memory.write(area.trapHandler, nativeHook().trapHandler.code(area.trapHandler));
      return area;
    } catch (error) {
      this.#areas = before;
      throw error;
    }
  }

  #known(site: Site): HookedSite | undefined {
    const known = this.#state.sites.get(site.id) ?? this.#prepared.get(site.id);
    if (known !== undefined && known.entry !== site.original.entry) {
      throw new SutureError("SITE_MOVED", `${describeSite(site.id)} is at another address than when it was hooked`, {
        where: `0x${site.original.entry.toString(16)}, not 0x${known.entry.toString(16)}`,
      });
    }
    return known;
  }

  /** Makes a change, as a whole or not at all. Throws what planning and preparing throw: nothing was changed then. */
  commit(change: HookChange, stopped: StoppedTasks): Obstacle | undefined {
    this.prepare([...change.hooks.keys()].map((site) => ({ site })));
    const sites = new Map(this.#state.sites);
    const hooks = new Map<string, Hook>();
    for (const [site, hook] of change.hooks) {
      sites.set(site.id, this.#known(site) as HookedSite);
      hooks.set(site.id, hook);
    }
    const request = { ...change, hooks, extra: change.extra ?? this.#state.extra };
    const before = this.#areas.map(({ record }) => record);
    const plan = this.#plan(sites, request, stopped);
    const hindrance = findHindrance(plan.entries, stopped);
    if (hindrance !== undefined) {
      for (const [index, record] of before.entries()) this.#areas[index]?.rewind(record);
      return hindrance;
    }
    moveTasks(plan.entries, stopped);
    writeChange(plan, this.#layout as ControlLayout, this.#memory);
    this.#state = plan.state;
    for (const id of hooks.keys()) this.#prepared.delete(id);
    this.#behind = plan.table?.image.offsets ?? new Map();
    return undefined;
  }

  #plan(
    sites: ReadonlyMap<string, HookedSite>,
    request: Parameters<typeof planChange>[1],
    stopped: StoppedTasks,
  ): ChangePlan {
    const layout = this.#ensureControl();
    const proof = new StackReferences(stopped);
    const takeStubs = (area: StubArea, count: number): number | undefined => {
      const start = area.takeStubs(count);
      if (start !== undefined || proof.mayRefer(area.stubs)) return start;
      area.reuse(stubsInUse(this.#state));
      return area.takeStubs(count);
    };
    for (let attempt = 0; ; attempt++) {
      const context = { layout, areas: this.#areas, source: this.#source, takeStubs };
      const plan = planChange({ ...this.#state, sites }, request, context);
      if (plan !== undefined) return plan;
      const [site] = request.hooks.keys();
      const near = sites.get(site ?? "")?.displacement.hookAt ?? [...sites.values()][0]?.displacement.hookAt ?? 0;
      if (attempt > 2) throw new SutureError("NO_ROOM_IN_REACH", "there is no room for the stubs of this change");
      this.#addArea({ start: near, end: near + nativeHook().stubSize }, sites.size, []);
    }
  }

  /** Takes a thread pointer out of the table of those behind. */
  advance(threadPointer: number): void {
    const offset = this.#behind.get(threadPointer);
    if (offset === undefined || this.#layout === undefined) return;
    this.#memory.write(this.#layout.table(this.#state.table) + offset, TAKE_OUT);
    const behind = new Map(this.#behind);
    behind.delete(threadPointer);
    this.#behind = behind;
  }

  #save(state: HookState): void {
    if (this.#isLookedAt) {
      this.#state = state;
      return;
    }
    const layout = this.#ensureControl();
    const next = { ...state, number: this.#state.number + 1 };
    writeRecord(recordOf(next, this.#areas), layout, this.#memory);
    this.#state = next;
  }

  #ensureControl(taken: readonly CodeRange[] = []): ControlLayout {
    if (this.#layout !== undefined) return this.#layout;
    const near = this.#mapper.mappings().find(({ executable }) => executable) ?? { start: 2 ** 32, end: 2 ** 32 };
    const layout = new ControlLayout(mapNear(this.#mapper, { near, size: CONTROL_SIZE, taken }, "r--").start);
    this.#begin(layout);
    return layout;
  }

  /** The magic comes last: a mapping without it remembers nothing. */
  #begin(layout: ControlLayout): void {
    const first = { ...this.#state, number: 1 };
    writeRecord(recordOf(first, []), layout, this.#memory);
    this.#memory.write(layout.start, MAGIC);
    this.#state = first;
    this.#layout = layout;
  }

  /**
   * Unmaps everything; no task stands there, no hook is in place. The record has no sites first: killed in
   * between, it would have some whose trampolines are no more.
   */
  drop(): void {
    if (this.#layout !== undefined) this.#save({ ...this.#state, sites: new Map() });
    for (const area of this.#areas) this.#mapper.unmap(area);
    if (this.#layout !== undefined) this.#mapper.unmap(this.#layout);
    this.#areas = [];
    this.#layout = undefined;
    this.#state = EMPTY;
    this.#prepared.clear();
    this.#behind = new Map();
  }

  /** All sites whose trampolines lie in the process. */
  get sites(): HookedSite[] {
    return [...this.#state.sites.values(), ...this.#prepared.values()];
  }
}

function stateOf(record: ControlRecord): HookState {
  const sites = new Map(record.sites.map((site) => [site.id, fromRecord(site)]));
  const { number, table, bits, core, extra } = record;
  return { number, table, bits, sites, core, extra, others: otherKeys(recordSchema, record) };
}

function isNear({ start, end }: CodeRange, address: number): boolean {
  const { isInReach } = nativeHook();
  return isInReach(start, address) && isInReach(end, address) && Math.abs(start - address) < 2 ** 30;
}

function stubsInUse({ sites }: HookState): CodeRange[] {
  const stubs = [...sites.values()].flatMap(({ stub }) => (stub === undefined ? [] : [stub]));
  return stubs.map((start) => ({ start, end: start + nativeHook().stubSize }));
}
