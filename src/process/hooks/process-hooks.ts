/** The hooks of one process: what is ready to be in force, and the change from what is to that. */

import type { ThreadPointerSource } from "../../arch/hook-abi.ts";
import { describeSite } from "../../core/holder.ts";
import type { CodeRange, Hook, Obstacle, Site, Stack } from "../../core/machine.ts";
import { SutureError } from "../../lib/error.ts";
import type { Mapping } from "../os/mappings.ts";
import { nativeHook } from "../os/native.ts";
import { TAKE_OUT } from "../store/behind-table.ts";
import { CONTROL_SIZE, ControlLayout, MAGIC } from "../store/control-layout.ts";
import type { FoundControl } from "../store/find-control.ts";
import type { Json } from "../store/json.ts";
import type { ProcessMemory, StoppedThreads } from "../store/memory.ts";
import { type ChangePlan, type HookState, planChange, recordOf } from "./change-plan.ts";
import { findHindrance, moveTasks } from "./entry-tasks.ts";
import { type HookedSite, unhooked } from "./hooked-site.ts";
import { HooksInForce, NO_HOOKS, type SitePreparation } from "./hooks-in-force.ts";
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

const AREA_SIZE = 1 << 16;
/** Stubs of how many changes an area holds before it has to be proved that they are free again. */
const CHANGES_PER_AREA = 4;

/**
 * All that it knows can be found again in the control mapping; it keeps that at hand,
 * so that a stop has nothing to read.
 */
export class ProcessHooks extends HooksInForce {
  readonly #memory: ProcessMemory;
  readonly #mapper: Mapper;
  readonly #source: ThreadPointerSource;
  /** Sites that are ready to be hooked and never were. */
  readonly #prepared = new Map<string, HookedSite>();

  constructor(memory: ProcessMemory, mapper: Mapper, source: ThreadPointerSource, hasShadowStack = false) {
    super(memory, hasShadowStack);
    this.#memory = memory;
    this.#mapper = mapper;
    this.#source = source;
  }

  /** Takes over what is there; a control mapping that was only made is begun. Throws `CONTROL_CORRUPT`. */
  override adopt(found: FoundControl, mappings: readonly Mapping[] = this.#mapper.mappings()): void {
    super.adopt(found, mappings);
    if (found.record === undefined) this.#begin(found.layout);
  }

  /** Puts the target's part into the record, and makes the control mapping if there is none. */
  saveTargetPart(extra: Json): void {
    this.#save({ ...this.stateNow, extra });
  }

  /** Puts the core's part into the record. */
  saveCore(core: string): void {
    this.#save({ ...this.stateNow, core });
  }

  /** Forgets sites whose memory is no more. */
  forget(ids: ReadonlySet<string>): void {
    for (const id of ids) this.#prepared.delete(id);
    const sites = new Map([...this.stateNow.sites].filter(([id]) => !ids.has(id)));
    if (sites.size < this.stateNow.sites.size) this.#save({ ...this.stateNow, sites });
  }

  protected override siteOf(id: string): HookedSite | undefined {
    return super.siteOf(id) ?? this.#prepared.get(id);
  }

  /** @param taken room that is not mapped yet, and not for what is mapped here */
  prepare(sites: readonly SitePreparation[], taken: readonly CodeRange[] = []): void {
    for (const each of sites) {
      if (this.known(each.site) === undefined) this.#prepare(each, sites.length, taken);
    }
  }

  #prepare({ site, paddingEnd }: SitePreparation, count: number, taken: readonly CodeRange[]): void {
    const found = this.displacementOf(site, paddingEnd);
    if (found.kind === "refusal") {
      throw new SutureError(found.code, found.what, { where: found.where, hint: found.hint });
    }
    const size = nativeHook().trampolineSize(found);
    const near = { start: found.hookAt, end: found.hookAt + found.bytes.length };
    for (const area of [...this.areasNow, undefined]) {
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
    const before = this.areasNow;
    try {
      mapNear(this.#mapper, { near, size, taken }, "r-x", (chosen) => {
        this.areasNow = [...before, StubArea.fresh(chosen)];
        this.#save(this.stateNow);
      });
      const area = this.areasNow.at(-1) as StubArea;
      this.#memory.write(area.trapHandler, nativeHook().trapHandler.code(area.trapHandler));
      return area;
    } catch (error) {
      this.areasNow = before;
      throw error;
    }
  }

  /** Makes a change, as a whole or not at all. Throws what planning and preparing throw: nothing was changed then. */
  commit(change: HookChange, stopped: StoppedTasks): Obstacle | undefined {
    this.prepare([...change.hooks.keys()].map((site) => ({ site })));
    const sites = new Map(this.stateNow.sites);
    const hooks = new Map<string, Hook>();
    for (const [site, hook] of change.hooks) {
      sites.set(site.id, this.known(site) as HookedSite);
      hooks.set(site.id, hook);
    }
    const request = { ...change, hooks, extra: change.extra ?? this.stateNow.extra };
    const before = this.areasNow.map(({ record }) => record);
    const plan = this.#plan(sites, request, stopped);
    const hindrance = findHindrance(plan.entries, stopped);
    if (hindrance !== undefined) {
      for (const [index, record] of before.entries()) this.areasNow[index]?.rewind(record);
      return hindrance;
    }
    moveTasks(plan.entries, stopped);
    writeChange(plan, this.layoutNow as ControlLayout, this.#memory);
    this.stateNow = plan.state;
    for (const id of hooks.keys()) this.#prepared.delete(id);
    this.behindNow = plan.table?.image.offsets ?? new Map();
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
      area.reuse(stubsInUse(this.stateNow));
      return area.takeStubs(count);
    };
    for (let attempt = 0; ; attempt++) {
      const context = { layout, areas: this.areasNow, source: this.#source, takeStubs };
      const plan = planChange({ ...this.stateNow, sites }, request, context);
      if (plan !== undefined) return plan;
      const [site] = request.hooks.keys();
      const near = sites.get(site ?? "")?.displacement.hookAt ?? [...sites.values()][0]?.displacement.hookAt ?? 0;
      if (attempt > 2) throw new SutureError("NO_ROOM_IN_REACH", "there is no room for the stubs of this change");
      this.#addArea({ start: near, end: near + nativeHook().stubSize }, sites.size, []);
    }
  }

  /** Takes a thread pointer out of the table of those behind. */
  advance(threadPointer: number): void {
    const offset = this.behindNow.get(threadPointer);
    if (offset === undefined || this.layoutNow === undefined) return;
    this.#memory.write(this.layoutNow.table(this.stateNow.table) + offset, TAKE_OUT);
    const behind = new Map(this.behindNow);
    behind.delete(threadPointer);
    this.behindNow = behind;
  }

  #save(state: HookState): void {
    const layout = this.#ensureControl();
    const next = { ...state, number: this.stateNow.number + 1 };
    writeRecord(recordOf(next, this.areasNow), layout, this.#memory);
    this.stateNow = next;
  }

  #ensureControl(taken: readonly CodeRange[] = []): ControlLayout {
    if (this.layoutNow !== undefined) return this.layoutNow;
    const near = this.#mapper.mappings().find(({ executable }) => executable) ?? { start: 2 ** 32, end: 2 ** 32 };
    const layout = new ControlLayout(mapNear(this.#mapper, { near, size: CONTROL_SIZE, taken }, "r--").start);
    this.#begin(layout);
    return layout;
  }

  /** The magic comes last: a mapping without it remembers nothing. */
  #begin(layout: ControlLayout): void {
    const first = { ...this.stateNow, number: 1 };
    writeRecord(recordOf(first, []), layout, this.#memory);
    this.#memory.write(layout.start, MAGIC);
    this.stateNow = first;
    this.layoutNow = layout;
  }

  /**
   * Unmaps everything; no task stands there, no hook is in place. The record has no sites first: killed in
   * between, it would have some whose trampolines are no more.
   */
  drop(): void {
    if (this.layoutNow !== undefined) this.#save({ ...this.stateNow, sites: new Map() });
    for (const area of this.areasNow) this.#mapper.unmap(area);
    if (this.layoutNow !== undefined) this.#mapper.unmap(this.layoutNow);
    this.areasNow = [];
    this.layoutNow = undefined;
    this.stateNow = NO_HOOKS;
    this.#prepared.clear();
    this.behindNow = new Map();
  }

  override get sites(): HookedSite[] {
    return [...super.sites, ...this.#prepared.values()];
  }
}

function isNear({ start, end }: CodeRange, address: number): boolean {
  const { isInReach } = nativeHook();
  return isInReach(start, address) && isInReach(end, address) && Math.abs(start - address) < 2 ** 30;
}

function stubsInUse({ sites }: HookState): CodeRange[] {
  const stubs = [...sites.values()].flatMap(({ stub }) => (stub === undefined ? [] : [stub]));
  return stubs.map((start) => ({ start, end: start + nativeHook().stubSize }));
}
