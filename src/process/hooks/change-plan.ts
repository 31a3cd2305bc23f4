/** All writes of one change, computed before the first of them is made. */

import type { ThreadPointerSource } from "../../arch/hook-abi.ts";
import type { Hook } from "../../core/machine.ts";
import type { OtherKeys } from "../../lib/format.ts";
import { TOOL } from "../../lib/version.ts";
import { nativeHook } from "../os/native.ts";
import { buildTable, type TableImage } from "../store/behind-table.ts";
import type { ControlLayout, Parity } from "../store/control-layout.ts";
import { otherTable } from "../store/control-record.ts";
import type { Json } from "../store/json.ts";
import { CONTROL_RECORD_VERSION, type ControlRecord } from "../store/record-schema.ts";
import { entryOf, type HookedSite, isSameHook, toRecord, withHook } from "./hooked-site.ts";
import type { StubArea } from "./stub-area.ts";

/** Areas of one object are made as near to it as possible, and so to one another. */
const NEAR = 2 ** 29;

/** What is in force. */
export interface HookState {
  /** Of the record; its low byte is the generation. */
  readonly number: number;
  readonly table: Parity;
  readonly bits: number;
  /** All sites that ever had a hook, by id. */
  readonly sites: ReadonlyMap<string, HookedSite>;
  readonly core: string | undefined;
  readonly extra: Json | undefined;
  /** What the record that it was read from says besides. */
  readonly others?: OtherKeys | undefined;
}

/** What is written at one function's entry, and in how many steps. */
export interface PlannedEntry {
  readonly site: HookedSite;
  readonly at: number;
  /** Whether the original's own bytes are there now, in which a task may stand. */
  readonly wasOriginal: boolean;
  /** A jump to the switching stub; undefined where the entry is written just once. */
  readonly through: Buffer | undefined;
  readonly final: Buffer;
}

/**
 * All that a change writes: stubs and the table first, where nothing looks yet, then
 * the record and the entries (write-change.ts).
 */
export interface ChangePlan {
  readonly state: HookState;
  readonly record: ControlRecord;
  readonly stubs: readonly { readonly address: number; readonly bytes: Buffer }[];
  readonly table: { readonly address: number; readonly image: TableImage } | undefined;
  readonly entries: readonly PlannedEntry[];
}

/** What is to be in force afterwards. Sites that are not named keep their hooks. */
export interface ChangeRequest {
  readonly hooks: ReadonlyMap<string, Hook>;
  /** Thread pointers of the tasks that are behind from now on. */
  readonly behind: readonly number[];
  readonly core: string | undefined;
  readonly extra: Json | undefined;
}

/** Where stubs can go, and how they read the thread pointer. */
export interface PlanContext {
  readonly layout: ControlLayout;
  readonly areas: readonly StubArea[];
  readonly source: ThreadPointerSource;
  /** Room for so many stubs in an area; undefined where there is none now. */
  takeStubs(area: StubArea, count: number): number | undefined;
}

/** @returns undefined where there is no room for the stubs. Throws OUT_OF_REACH, TOO_MANY_TASKS, RECORD_TOO_LARGE. */
export function planChange(state: HookState, request: ChangeRequest, context: PlanContext): ChangePlan | undefined {
  const number = state.number + 1;
  const hooks = changedHooks(state, request.hooks);
  const chooses = [...hooks.values()].some(({ kind }) => kind === "choose");
  const table = chooses ? otherTable(state.table) : state.table;
  const image = chooses ? buildTable(request.behind) : undefined;
  const stubs = new StubBatches(state, hooks, context);
  if (!stubs.hasRoom) return undefined;
  const generation = { address: context.layout.generation, value: number & 0xff };
  const sites = new Map(state.sites);
  const entries: PlannedEntry[] = [];
  for (const [id, hook] of hooks) {
    const before = state.sites.get(id) as HookedSite;
    const { hookAt } = before.displacement;
    let stub: number | undefined;
    if (hook.kind === "choose") {
      const to = { behind: entryOf(before, hook.behind), ahead: entryOf(before, hook.ahead) };
      const at = { address: context.layout.table(table), bits: (image as TableImage).bits, source: context.source };
      stub = stubs.add(before, (start) => nativeHook().chooseStub(start, hookAt, to, at));
    }
    const site = withHook(before, hook, stub);
    sites.set(id, site);
    let through: Buffer | undefined;
    if (hooks.size > 1) {
      const to = { before: reached(before), now: reached(site) };
      const address = stubs.add(before, (start) => nativeHook().switchStub(start, hookAt, to, generation));
      through = withHook(before, { kind: "direct", to: address }, undefined).final;
    }
    const wasOriginal = before.hook.kind === "direct" && before.hook.to === "original";
    entries.push({ site, at: hookAt, wasOriginal, through, final: site.final });
  }
  const next: HookState = {
    number,
    table,
    bits: image?.bits ?? state.bits,
    sites,
    core: request.core,
    extra: request.extra,
    others: state.others,
  };
  const alone = hooks.size === 1 ? [...hooks.keys()][0] : undefined;
  return {
    state: next,
    record: recordOf(next, context.areas, alone),
    stubs: stubs.writes,
    table: image && { address: context.layout.table(table), image },
    entries,
  };
}

/** The sites that have to be written: those whose hook changes, and all that choose, since the table moves. */
function changedHooks(state: HookState, wanted: ReadonlyMap<string, Hook>): Map<string, Hook> {
  const all = new Map<string, Hook>();
  for (const [id, site] of state.sites) {
    const hook = wanted.get(id) ?? site.hook;
    if (hook.kind === "choose" || !isSameHook(hook, site.hook)) all.set(id, hook);
  }
  return all;
}

/** The record of a state. `alone` is the id of the one site whose entry is all that the change writes. */
export function recordOf(state: HookState, areas: readonly StubArea[], alone?: string): ControlRecord {
  return {
    ...state.others,
    version: CONTROL_RECORD_VERSION,
    tool: TOOL,
    number: state.number,
    table: state.table,
    bits: state.bits,
    sites: [...state.sites.values()].map(toRecord),
    areas: areas.map(({ record }) => record),
    ...(alone === undefined ? {} : { alone }),
    ...(state.core === undefined ? {} : { core: state.core }),
    ...(state.extra === undefined ? {} : { extra: state.extra }),
  };
}

/** Where a call of the function gets to by the hook that a site has. */
function reached(site: HookedSite): number {
  return site.hook.kind === "choose" ? (site.stub as number) : entryOf(site, site.hook.to);
}

/** Whether what one area is for can lie in the other as well. */
function isNear(a: StubArea, b: StubArea): boolean {
  const { isInReach } = nativeHook();
  return isInReach(a.start, b.end) && isInReach(b.start, a.end) && Math.abs(a.start - b.start) < NEAR;
}

/** The stubs of the sites of each area, a batch written at once. */
class StubBatches {
  readonly #batches = new Map<StubArea, { readonly start: number; readonly stubs: Buffer[] }>();
  readonly #areas: readonly StubArea[];
  readonly hasRoom: boolean;

  constructor(state: HookState, hooks: ReadonlyMap<string, Hook>, { areas, takeStubs }: PlanContext) {
    this.#areas = areas;
    const counts = new Map<StubArea, number>();
    for (const [id, { kind }] of hooks) {
      const area = this.#areaOf(state.sites.get(id) as HookedSite);
      const count = (kind === "choose" ? 1 : 0) + (hooks.size > 1 ? 1 : 0);
      counts.set(area, (counts.get(area) ?? 0) + count);
    }
    let hasRoom = true;
    for (const [area, count] of counts) {
      let start: number | undefined;
      for (const each of [area, ...areas.filter((other) => other !== area && isNear(other, area))]) {
        start ??= takeStubs(each, count);
      }
      if (start === undefined) hasRoom = false;
      else this.#batches.set(area, { start, stubs: [] });
    }
    this.hasRoom = hasRoom;
  }

  /** A site's stubs lie where its trampoline does, or in another area near there. */
  #areaOf(site: HookedSite): StubArea {
    return this.#areas.find((area) => area.has(site.trampoline.start)) as StubArea;
  }

  add(site: HookedSite, make: (start: number) => Buffer): number {
    const batch = this.#batches.get(this.#areaOf(site)) as { start: number; stubs: Buffer[] };
    const start = batch.start + batch.stubs.length * nativeHook().stubSize;
    batch.stubs.push(make(start));
    return start;
  }

  get writes(): { address: number; bytes: Buffer }[] {
    return [...this.#batches.values()]
      .filter(({ stubs }) => stubs.length > 0)
      .map(({ start, stubs }) => ({ address: start, bytes: Buffer.concat(stubs) }));
  }
}
