/** One random history: patches that come, go, replace and are forced in a made-up system, with a tool that may be killed. */

import { Core } from "../../src/core/core.ts";
import type { Site } from "../../src/core/machine.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Func, Patch, PatchObject } from "../../src/core/patch.ts";
import type { CoreRecord, Layer } from "../../src/core/record.ts";
import type { TransitionOptions } from "../../src/core/transition.ts";
import { SutureError } from "../../src/lib/error.ts";
import { Laws, sameLayers } from "./laws.ts";
import { FAULT, Killed, MadeUpMachine } from "./made-up-machine.ts";
import { MadeUpSystem } from "./made-up-system.ts";
import { Random } from "./random.ts";

export interface ScenarioOptions {
  readonly seed: number;
  /** How many wishes to the core. */
  readonly wishes: number;
  readonly tasks: number;
  /** 0 to 1: how often the tool is killed in the middle of a wish. */
  readonly kills: number;
  /** 0 to 1: see MachineOptions. */
  readonly trouble: number;
}

/** What happened, so that it can be told that a run tried what it should. */
export interface ScenarioCounts {
  readonly outcomes: Record<string, number>;
  kills: number;
  faults: number;
  forks: number;
}

export function noCounts(): ScenarioCounts {
  return { outcomes: {}, kills: 0, faults: 0, forks: 0 };
}

const OBJECTS: Readonly<Record<string, number>> = { server: 3, lib: 2 };
const PATCHES = ["p0", "p1", "p2"];
const FUNCTION_SIZE = 0x100;

export class Scenario {
  readonly #options: ScenarioOptions;
  readonly #random: Random;
  readonly #counts: ScenarioCounts;
  #system: MadeUpSystem;
  #laws: Laws;
  #machine!: MadeUpMachine;
  #core!: Core;
  #place = 1;
  #gone: string | undefined;

  constructor(options: ScenarioOptions, counts: ScenarioCounts) {
    this.#options = options;
    this.#counts = counts;
    this.#random = new Random(options.seed);
    this.#system = new MadeUpSystem(this.#random);
    this.#laws = new Laws(this.#system);
    for (const object of Object.keys(OBJECTS)) this.#map(object);
    for (let task = 0; task < options.tasks; task++) this.#system.bear();
    this.#open();
  }

  async run(): Promise<void> {
    for (let wish = 0; wish < this.#options.wishes; wish++) {
      this.#system.run(this.#random.below(30));
      await this.#survive(() => this.#wish());
      if (this.#random.chance(0.05)) this.#fork();
    }
    await this.#end();
  }

  /** Does what may end by a kill; the next command finds the state that the system is in. */
  async #survive(wish: () => Promise<void>): Promise<void> {
    const life = this.#random.chance(this.#options.kills) ? 1 + this.#random.below(60) : Number.POSITIVE_INFINITY;
    this.#machine.attach(life);
    try {
      await wish();
    } catch (error) {
      if (error instanceof Killed) this.#counts.kills++;
      else if (error instanceof SutureError && error.code === FAULT) this.#counts.faults++;
      else throw error;
      this.#system.run(this.#random.below(20));
    } finally {
      this.#laws.isForcing = false;
    }
    const isDead = this.#machine.isDead;
    this.#machine.detach();
    if (isDead || this.#random.chance(0.2)) this.#open();
    this.#stateIsTrue();
  }

  async #wish(): Promise<void> {
    this.#tellGone();
    const { transition } = this.#core;
    const dice = this.#random.below(100);
    const options = this.#choose();
    if (transition !== undefined) {
      if (dice < 35) this.#count("resume", await this.#core.resume(options));
      else if (dice < 60) this.#count("reverse", await this.#core.reverse(options));
      else if (dice < 70) await this.#force();
      else if (dice < 75) this.#comeAndGo();
      else if (dice < 85) this.#count("disable moving", await this.#disable(transition.patch, options));
      else if (dice < 95) this.#count("enable moving", await this.#enable(transition.patch, options));
      else await this.#load(options);
      return;
    }
    // Of those that it could be, mostly.
    const wantsEnabled = this.#random.chance(0.1) ? undefined : dice < 60;
    const loaded = this.#core.patches.filter((patch) => wantsEnabled === undefined || patch.enabled === wantsEnabled);
    const name = this.#random.of(loaded)?.name;
    if (this.#canFill() && this.#random.chance(0.5)) await this.#fill(options);
    else if (name === undefined || dice < 35) await this.#load(options);
    else if (dice < 60) this.#count("disable", await this.#disable(name, options));
    else if (dice < 70) this.#count("enable", await this.#enable(name, options));
    else if (dice < 80) this.#unload(name);
    else this.#comeAndGo();
  }

  #choose(): TransitionOptions {
    return {
      consistency: this.#random.of(["stop", "lazy", "hybrid"] as const),
      timeoutMs: this.#random.of([0, 2, 20, 500, 5000]),
      onDeadline: this.#random.of(["reverse", "keep"] as const),
    };
  }

  async #load(options: TransitionOptions): Promise<void> {
    const name = this.#random.of(PATCHES) as string;
    if (this.#core.transition !== undefined || this.#core.patches.some((patch) => patch.name === name)) {
      const patch = this.#laws.patches.get(name) ?? this.#makePatch(name);
      const outcome = await this.#core.load(patch, options);
      if (outcome.kind !== "refused") throw new Error(`loads ${name} where it cannot`);
      return;
    }
    const patch = this.#makePatch(name);
    this.#laws.patches.set(name, patch);
    const { layers } = this.#core.record;
    const layer = { patch: name, objects: patch.objects.map((object) => object.name) };
    this.#laws.intent = { from: layers, to: patch.replace ? [layer] : [...layers, layer] };
    const outcome = await this.#core.load(patch, options);
    this.#count("load", outcome);
    const isThere = this.#core.patches.some((each) => each.name === name);
    if (isThere !== (outcome.kind === "done" || outcome.kind === "pending"))
      throw new Error(`${name} is ${outcome.kind}, and ${isThere ? "there" : "not there"}`);
  }

  async #disable(name: string, options: TransitionOptions): Promise<Outcome> {
    const { transition } = this.#core;
    // The core would disable it right after it has finished; the laws have to hear of that.
    if (transition?.patch === name && transition.phase === "after") await this.#core.resume(options);
    const { layers } = this.#core.record;
    if (this.#core.transition === undefined)
      this.#laws.intent = { from: layers, to: layers.filter((layer) => layer.patch !== name) };
    return this.#core.disable(name, options);
  }

  async #enable(name: string, options: TransitionOptions): Promise<Outcome> {
    const patch = this.#core.record.patches.find((each) => each.name === name);
    const { layers } = this.#core.record;
    if (this.#core.transition?.phase === "after") return this.#core.resume(options);
    if (this.#core.transition === undefined && patch !== undefined) {
      const layer = { patch: name, objects: patch.objects.map((object) => object.name) };
      this.#laws.intent = { from: layers, to: patch.replace ? [layer] : [...layers, layer] };
    }
    return this.#core.enable(name, options);
  }

  #unload(name: string): void {
    const outcome = this.#core.unload(name);
    this.#count("unload", outcome);
    if (outcome.kind === "done") this.#laws.notInside(name);
  }

  async #force(): Promise<void> {
    this.#laws.isForcing = true;
    this.#count("force", await this.#core.force({ timeoutMs: 5000 }));
    this.#laws.isForcing = false;
  }

  /** An object that no task is in is unmapped, or one that was comes back elsewhere. */
  #comeAndGo(): void {
    const away = Object.keys(OBJECTS).find((object) => !this.#isMapped(object));
    if (away !== undefined) {
      if (this.#core.transition === undefined) this.#map(away);
      return;
    }
    const object = this.#random.of(Object.keys(OBJECTS)) as string;
    const isUsed = this.#system.tasks.some((task) =>
      [...task.stack, task.entering].some(
        (frame) => frame?.site?.startsWith(object) === true || (frame?.patch !== undefined && frame.site === undefined),
      ),
    );
    if (isUsed) return;
    for (const site of [...this.#system.sites.keys()]) if (site.startsWith(object)) this.#system.sites.delete(site);
    this.#gone = object;
    this.#tellGone();
    this.#counts.outcomes["gone"] = (this.#counts.outcomes["gone"] ?? 0) + 1;
  }

  /** As a target does before everything else: what it finds unmapped, it tells. */
  #tellGone(): void {
    if (this.#gone === undefined) return;
    const object = this.#gone;
    const without = (layers: readonly Layer[]) =>
      layers.map((layer) => ({ ...layer, objects: layer.objects.filter((name) => name !== object) }));
    const { from, to } = this.#laws.intent;
    this.#laws.intent = { from: without(from), to: without(to) };
    this.#core.objectGone(object);
    for (const [name, patch] of this.#laws.patches)
      this.#laws.patches.set(name, { ...patch, objects: patch.objects.filter((each) => each.name !== object) });
    this.#gone = undefined;
  }

  #canFill(): boolean {
    return this.#core.patches.some((patch) => patch.absent.some((object) => this.#isMapped(object)));
  }

  /** Gives the parts of patches for objects that have come back. */
  async #fill(options: TransitionOptions): Promise<void> {
    for (const patch of this.#core.record.patches)
      for (const object of patch.absent) {
        if (!this.#isMapped(object) || this.#core.transition !== undefined) continue;
        const part = this.#makeObject(patch.name, object);
        const known = this.#laws.patches.get(patch.name);
        // A command that was killed may have tried it before, with another part.
        const others = known?.objects.filter(({ name }) => name !== object) ?? [];
        if (known !== undefined) this.#laws.patches.set(patch.name, { ...known, objects: [...others, part] });
        const { layers } = this.#core.record;
        const to = layers.map((layer) =>
          layer.patch === patch.name ? { ...layer, objects: [...layer.objects, object] } : layer,
        );
        this.#laws.intent = { from: layers, to };
        this.#count("object", await this.#core.objectLoaded(patch.name, part, options));
      }
  }

  /** The child finishes what its parent was in the middle of, whatever the parent does. */
  #fork(): void {
    const task = this.#random.of(this.#system.tasks);
    if (task === undefined) return;
    this.#counts.forks++;
    this.#system = this.#system.fork(task);
    const laws = new Laws(this.#system, this.#laws.patches);
    laws.intent = this.#laws.intent;
    this.#laws = laws;
    for (let more = this.#random.below(3); more > 0; more--) this.#system.bear();
    this.#open();
    this.#stateIsTrue();
  }

  /** Once nothing is in the way any more, all can be undone, and nothing is left. */
  async #end(): Promise<void> {
    this.#system.isCalm = true;
    this.#machine.attach();
    this.#tellGone();
    const options = { ...this.#choose(), timeoutMs: 60_000 };
    if (this.#core.transition !== undefined)
      mustBeDone(
        "what was pending",
        await (this.#random.chance(0.5) ? this.#core.resume(options) : this.#undo(options)),
      );
    for (const { name } of [...this.#core.record.layers].map((layer) => ({ name: layer.patch }))) {
      mustBeDone(`disabling ${name}`, await this.#disable(name, { ...this.#choose(), timeoutMs: 60_000 }));
      this.#stateIsTrue();
    }
    for (const name of this.#laws.forced)
      if (this.#core.unload(name).kind !== "refused")
        throw new Error(`${name} is unloaded after tasks were left in it by force`);
    for (const patch of this.#core.patches)
      if (!patch.forced) mustBeDone(`unloading ${patch.name}`, this.#core.unload(patch.name));
    if (this.#system.hooks.size > 0) throw new Error("hooks are left at the end");
    if (this.#system.behind.size > 0) throw new Error("tasks are left behind at the end");
    for (const patch of this.#core.patches) if (!patch.forced) throw new Error(`${patch.name} is left at the end`);
  }

  #undo(options: TransitionOptions): Promise<Outcome> {
    return this.#core.transition?.phase === "after" ? this.#core.resume(options) : this.#core.reverse(options);
  }

  /** What the core says, and what can be seen. */
  #stateIsTrue(): void {
    if (this.#gone !== undefined) return;
    this.#laws.hooksAsClaimed();
    for (const task of this.#system.tasks) this.#laws.noMixture(task);
    const { transition, layers } = this.#core.record;
    const { from, to } = this.#laws.intent;
    if (transition?.phase !== "moving" && !sameLayers(layers, from) && !sameLayers(layers, to))
      throw new Error("the core is where it was never asked to be");
    const claimed = this.#laws.claimed();
    if (essence(claimed) !== essence(this.#core.record))
      throw new Error("the core and the system remember different things");
    const chooses = [...this.#system.hooks.values()].some((hook) => hook.kind === "choose");
    if (chooses && transition?.phase !== "moving") throw new Error("hooks choose, and the core knows of no transition");
  }

  /** A fresh command. */
  #open(): void {
    const laws = this.#laws;
    this.#machine = new MadeUpMachine(this.#system, {
      trouble: this.#options.trouble,
      busy: 0.5,
      onCommit: (commit) => laws.commit(commit),
      onSave: (save) => laws.save(save),
      onAdvance: (task) => laws.advanced(task),
      onCallback: (entry) => this.#callback(entry),
    });
    this.#core = Core.open(this.#machine);
  }

  /** Entries of callbacks end in what they are. */
  #callback(entry: number): number {
    const kind = entry & 3;
    const { transition } = this.#laws.claimed();
    if (transition?.phase === "moving") throw new Error("a callback runs while tasks move");
    if (transition?.phase !== (kind === 0 || kind === 2 ? "before" : "after"))
      throw new Error("a callback of the wrong side runs");
    return kind === 0 && !this.#system.isCalm && this.#random.chance(0.2) ? -16 : 0;
  }

  #isMapped(object: string): boolean {
    return this.#system.sites.has(`${object}:f0,0`);
  }

  #map(object: string): void {
    const base = 0x40_0000 + 0x10_0000 * this.#place++;
    for (let index = 0; index < (OBJECTS[object] ?? 0); index++) {
      const start = base + index * FUNCTION_SIZE;
      const cold = base + 0x8000 + index * 0x40;
      const ranges = [
        { start, end: start + FUNCTION_SIZE },
        { start: cold, end: cold + 0x40 },
      ];
      const site: Site = { id: `${object}:f${index},0`, original: { entry: start, ranges } };
      this.#system.sites.set(site.id, site);
    }
  }

  #makePatch(name: string): Patch {
    const mapped = Object.keys(OBJECTS).filter((object) => this.#isMapped(object));
    const wanted = mapped.filter(() => this.#random.chance(0.8));
    const objects = wanted.map((object) => this.#makeObject(name, object));
    const absent = Object.keys(OBJECTS).filter((object) => !mapped.includes(object));
    return { name, replace: this.#random.chance(0.3), states: [], objects, absent };
  }

  #makeObject(patch: string, object: string): PatchObject {
    const base = 0x1000_0000 + 0x10_0000 * this.#place++;
    const sites = [...this.#system.sites.values()].filter(
      (site) => site.id.startsWith(object) && this.#random.chance(0.6),
    );
    const funcs = sites.map((site, index): Func => {
      const entry = base + index * FUNCTION_SIZE;
      const ranges = [{ start: entry, end: entry + FUNCTION_SIZE }];
      this.#system.versions.set(entry, { patch, ranges });
      return { site, code: { entry, ranges } };
    });
    this.#system.inner.set(patch, { start: base + 0x8000, end: base + 0x8100 });
    const callbacks = {
      pre_patch: base + 0xf000,
      post_patch: base + 0xf001,
      pre_unpatch: base + 0xf002,
      post_unpatch: base + 0xf003,
    };
    return {
      name: object,
      funcs,
      callbacks: this.#random.chance(0.3) ? callbacks : {},
      code: [{ start: base, end: base + 0x1_0000 }],
    };
  }

  #count(wish: string, outcome: Outcome): void {
    const what = `${wish}: ${outcome.kind === "refused" ? outcome.refusal.code : outcome.kind}`;
    this.#counts.outcomes[what] = (this.#counts.outcomes[what] ?? 0) + 1;
    if (outcome.kind === "pending" && this.#core.transition === undefined)
      throw new Error(`${wish} is pending, and nothing is`);
    if (outcome.kind !== "pending" && outcome.kind !== "refused" && this.#core.transition !== undefined)
      throw new Error(`${wish} is ${outcome.kind}, and a transition is pending`);
  }
}

function essence({ layers, transition, patches }: CoreRecord): string {
  return JSON.stringify([layers, transition?.phase, transition?.reversed, patches.map((patch) => patch.name)]);
}

function mustBeDone(what: string, outcome: Outcome): void {
  if (outcome.kind !== "done")
    throw new Error(
      `${what} is ${outcome.kind === "refused" ? outcome.refusal.code : outcome.kind} where nothing is in the way`,
    );
}
