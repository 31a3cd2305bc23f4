/**
 * What must hold at every moment of a made-up system, told by what can be seen
 * from outside: its hooks, its table of tasks behind, the stacks of its tasks,
 * and what the record claims. Throws at the first thing that does not.
 */
import type { Version } from "../../src/core/machine.ts";
import type { Patch } from "../../src/core/patch.ts";
import { type CoreRecord, EMPTY_RECORD, type Layer } from "../../src/core/record.ts";
import type { MadeUpSystem, SystemTask } from "./made-up-system.ts";

/** Versions by site; sites that are not in it have their original. */
export type View = ReadonlyMap<string, Version>;

/** What the driver has asked the core for: it must be either at the one or at the other, or between them. */
export interface Intent {
  readonly from: readonly Layer[];
  readonly to: readonly Layer[];
}

export class Laws {
  readonly #system: MadeUpSystem;
  /** By name, as the driver gave them to the core. */
  readonly patches: Map<string, Patch>;
  intent: Intent = { from: [], to: [] };
  /** Patches whose code tasks were left in by force. */
  readonly forced = new Set<string>();
  #text: string | undefined;
  #claimed: CoreRecord = EMPTY_RECORD;
  /** The driver forces: stacks do not count this once. */
  isForcing = false;

  constructor(system: MadeUpSystem, patches = new Map<string, Patch>()) {
    this.#system = system;
    this.patches = patches;
    system.onCall = (task) => this.noMixture(task);
  }

  claimed(): CoreRecord {
    const { record } = this.#system;
    if (record !== this.#text) {
      this.#claimed = record === undefined ? EMPTY_RECORD : JSON.parse(record);
      this.#text = record;
    }
    return this.#claimed;
  }

  /** Around a change that is committed. */
  commit(commit: () => void): void {
    const system = this.#system;
    const before = this.claimed();
    const seen = new Map(system.tasks.map((task) => [task, this.#seenBy(task)]));
    commit();
    const after = this.claimed();
    this.#step(before, after);
    this.hooksAsClaimed();
    const isTurn = before.transition?.phase === "moving" && after.transition?.phase === "moving";
    const target = this.#targetOf(after);
    for (const [task, views] of seen) {
      const now = this.#seenBy(task);
      if (!same(now, views)) {
        if (isTurn) fail(`task ${task.id} changes its universe while the transition turns round`);
        if (!same(now, target)) fail(`task ${task.id} does not go where the transition leads to`);
      }
      if (this.isForcing) this.#leaveBehind(task, now);
      this.noMixture(task);
    }
    if (after.transition?.phase !== "moving" && system.behind.size > 0)
      fail("tasks are behind and no transition is moving");
  }

  /** A record that changes alone claims no more than was true before. */
  save(save: () => void): void {
    const before = this.claimed();
    save();
    const after = this.claimed();
    if (before.transition?.phase === "moving" && after.transition?.phase !== "moving")
      fail("a transition ends without a change");
    this.hooksAsClaimed();
  }

  /** After a task was taken out of those behind: it only sees new versions now, and has left all others. */
  advanced(task: SystemTask): void {
    if (!same(this.#seenBy(task), this.#targetOf(this.claimed()))) fail(`task ${task.id} advanced to no universe`);
    this.noMixture(task);
  }

  /** All code on the task's stack is of the version that it would reach by a call now. */
  noMixture(task: SystemTask): void {
    for (const frame of task.entering === undefined ? task.stack : [...task.stack, task.entering]) {
      if (frame.site === undefined || frame.forced || !this.#system.sites.has(frame.site)) continue;
      const reached = this.#system.reached(task, frame.site);
      if (reached !== frame.version)
        fail(`task ${task.id} is inside version ${frame.version} of ${frame.site}, and calls reach ${reached}`);
    }
  }

  /** Hooks are just what the record says they are. */
  hooksAsClaimed(): void {
    const record = this.claimed();
    const { transition } = record;
    const system = this.#system;
    const isMoving = transition?.phase === "moving";
    const ends = isMoving ? [transition.from, transition.to] : [record.layers, record.layers];
    const [behind, ahead] = (transition?.reversed && isMoving ? ends.reverse() : ends).map((layers) =>
      this.#view(layers),
    ) as [View, View];
    for (const site of system.sites.keys()) {
      const hook = system.hook(site);
      const wanted = [behind.get(site) ?? "original", ahead.get(site) ?? "original"];
      const found = hook.kind === "direct" ? [hook.to, hook.to] : [hook.behind, hook.ahead];
      if (wanted[0] !== found[0] || wanted[1] !== found[1]) fail(`${site} is hooked ${found}, and should be ${wanted}`);
      if (hook.kind === "choose" && found[0] === found[1]) fail(`${site} chooses where there is no choice`);
    }
  }

  /** No task is anywhere in this code. */
  notInside(patch: string): void {
    for (const task of this.#system.tasks)
      for (const frame of task.stack)
        if (frame.patch === patch) fail(`task ${task.id} is inside ${patch}, which is unloaded`);
  }

  /** Only steps that the driver asked for: begin, turn round, arrive. */
  #step(before: CoreRecord, after: CoreRecord): void {
    const { from, to } = this.intent;
    const was = before.transition?.phase === "moving" ? before.transition : undefined;
    const is = after.transition?.phase === "moving" ? after.transition : undefined;
    if (was === undefined && !sameLayers(before.layers, from))
      fail(`begins where the driver did not leave it ${JSON.stringify([before.layers, from, to, before.transition])}`);
    if (is !== undefined && !(sameLayers(is.from, from) && sameLayers(is.to, to)))
      fail("moves where it was not asked to");
    if (is !== undefined && was === undefined && is.reversed) fail("begins on the way back");
    if (is !== undefined && was !== undefined && is.reversed === was.reversed) fail("turns round and does not");
    if (is === undefined) {
      const arrived = was?.reversed === true ? from : to;
      if (!sameLayers(after.layers, arrived)) fail("arrives where it did not go to");
    }
  }

  #targetOf(record: CoreRecord): Map<string, Version> {
    const { transition } = record;
    const layers =
      transition?.phase !== "moving" ? record.layers : transition.reversed ? transition.from : transition.to;
    const view = this.#view(layers);
    return new Map([...this.#system.sites.keys()].map((site) => [site, view.get(site) ?? "original"]));
  }

  #seenBy(task: SystemTask): Map<string, Version> {
    return new Map([...this.#system.sites.keys()].map((site) => [site, this.#system.reached(task, site)]));
  }

  #leaveBehind(task: SystemTask, now: View): void {
    for (const frame of task.entering === undefined ? task.stack : [...task.stack, task.entering]) {
      if (frame.site === undefined || now.get(frame.site) === frame.version) continue;
      frame.forced = true;
      if (frame.patch !== undefined) this.forced.add(frame.patch);
    }
  }

  /** The last layer that has a site wins. */
  #view(layers: readonly Layer[]): View {
    const view = new Map<string, Version>();
    for (const layer of layers)
      for (const object of this.patches.get(layer.patch)?.objects ?? [])
        if (layer.objects.includes(object.name))
          for (const { site, code } of object.funcs) view.set(site.id, code.entry);
    return view;
  }
}

function same(one: View, other: View): boolean {
  for (const [site, version] of one) if (other.get(site) !== version) return false;
  return one.size === other.size;
}

export function sameLayers(one: readonly Layer[], other: readonly Layer[]): boolean {
  return (
    one.length === other.length &&
    one.every((layer, index) => {
      const its = other[index];
      return layer.patch === its?.patch && layer.objects.join() === its.objects.join();
    })
  );
}

class LawBroken extends Error {}

function fail(what: string): never {
  throw new LawBroken(what);
}
