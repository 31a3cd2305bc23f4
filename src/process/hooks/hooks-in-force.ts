import { describeSite } from "../../core/holder.ts";
import type { Site } from "../../core/machine.ts";
import { SutureError } from "../../lib/error.ts";
import { otherKeys } from "../../lib/format.ts";
import type { Refusal } from "../../patch/refusal.ts";
import type { Mapping } from "../os/mappings.ts";
import { readTable, tableSize } from "../store/behind-table.ts";
import type { ControlLayout } from "../store/control-layout.ts";
import type { FoundControl } from "../store/find-control.ts";
import type { ProcessMemory } from "../store/memory.ts";
import { areaOfSite } from "../store/record-consistency.ts";
import { type ControlRecord, recordSchema } from "../store/record-schema.ts";
import type { HookState } from "./change-plan.ts";
import { damagedRecord, examine, fromRecord, type HookedSite } from "./hooked-site.ts";
import { StubArea } from "./stub-area.ts";

/** A function that is to be hooked later, and how far the bytes behind it are known to be no one's. */
export interface SitePreparation {
  readonly site: Site;
  readonly paddingEnd?: number | undefined;
}

/** That of a process without hooks. */
export const NO_HOOKS: HookState = {
  number: 0,
  table: 0,
  bits: 0,
  sites: new Map(),
  core: undefined,
  extra: undefined,
};

/** The hooks that a process has, as they are read: nothing here writes to it, `ProcessHooks` does. */
export class HooksInForce {
  readonly #memory: Pick<ProcessMemory, "read">;
  readonly #hasShadowStack: boolean;
  protected layoutNow: ControlLayout | undefined;
  protected stateNow = NO_HOOKS;
  protected areasNow: StubArea[] = [];
  /** Offsets in the table in use of the thread pointers that are in it. */
  protected behindNow: ReadonlyMap<number, number> = new Map();

  constructor(memory: Pick<ProcessMemory, "read">, hasShadowStack = false) {
    this.#memory = memory;
    this.#hasShadowStack = hasShadowStack;
  }

  get state(): HookState {
    return this.stateNow;
  }

  get layout(): ControlLayout | undefined {
    return this.layoutNow;
  }

  get areas(): readonly StubArea[] {
    return this.areasNow;
  }

  /** Thread pointers of the tasks that are behind. */
  get behind(): ReadonlySet<number> {
    return new Set(this.behindNow.keys());
  }

  /** Entries of the functions that have hooks. */
  get entries(): ReadonlySet<number> {
    return new Set([...this.stateNow.sites.values()].map(({ entry }) => entry));
  }

  /** All sites whose trampolines lie in the process. */
  get sites(): HookedSite[] {
    return [...this.stateNow.sites.values()];
  }

  /** Whether a task that is about to execute the instruction there will choose a version, and has executed nothing of one. */
  isAtChoice(ip: number): boolean {
    for (const { entry, displacement, hook } of this.stateNow.sites.values())
      if (hook.kind === "choose" && (ip === entry || ip === displacement.hookAt)) return true;
    return false;
  }

  get isChoosing(): boolean {
    return [...this.stateNow.sites.values()].some(({ hook }) => hook.kind === "choose");
  }

  /** Whether a function has had a hook of ours, so that what lies at its entry is ours. */
  isHooked({ id }: Site): boolean {
    return this.stateNow.sites.has(id);
  }

  /** Takes over what is there; only areas that are really mapped count. Throws `CONTROL_CORRUPT`. */
  adopt({ layout, record }: FoundControl, mappings: readonly Mapping[]): void {
    if (record === undefined) return;
    this.layoutNow = layout;
    this.stateNow = stateOf(record);
    const code = mappings.filter(({ executable, inode }) => executable && inode === 0);
    this.areasNow = record.areas
      .filter(({ start, end }) => code.some((each) => each.start <= start && each.end >= end))
      .map((area) => new StubArea(area));
    const lost = [...this.stateNow.sites.values()].find(
      ({ trampoline }) => areaOfSite({ trampoline: trampoline.start }, this.areasNow) === undefined,
    );
    if (lost !== undefined) throw damagedRecord(lost.id);
    this.behindNow = this.isChoosing
      ? readTable(this.#memory.read(layout.table(record.table), tableSize(record.bits)))
      : new Map();
  }

  /** Whether a function can be hooked: undefined, or why not. Throws `SITE_MOVED`. */
  examine({ site, paddingEnd }: SitePreparation): Refusal | undefined {
    if (this.known(site) !== undefined) return undefined;
    const found = this.displacementOf(site, paddingEnd);
    return found.kind === "refusal" ? found : undefined;
  }

  protected displacementOf(site: Site, paddingEnd: number | undefined): ReturnType<typeof examine> {
    const read = (address: number, size: number): Buffer => this.#memory.read(address, size);
    return examine(site, read, paddingEnd, this.#hasShadowStack);
  }

  protected siteOf(id: string): HookedSite | undefined {
    return this.stateNow.sites.get(id);
  }

  /** Throws `SITE_MOVED`. */
  protected known(site: Site): HookedSite | undefined {
    const known = this.siteOf(site.id);
    if (known !== undefined && known.entry !== site.original.entry) {
      throw new SutureError("SITE_MOVED", `${describeSite(site.id)} is at another address than when it was hooked`, {
        where: `0x${site.original.entry.toString(16)}, not 0x${known.entry.toString(16)}`,
      });
    }
    return known;
  }
}

function stateOf(record: ControlRecord): HookState {
  const sites = new Map(record.sites.map((site) => [site.id, fromRecord(site)]));
  const { number, table, bits, core, extra } = record;
  return { number, table, bits, sites, core, extra, others: otherKeys(recordSchema, record) };
}
