/**
 * The livepatch core of one system: which patches it has, and every way in which
 * that changes. All of its state lies in the system itself; a new `Core` for the
 * same system goes on where another one ended, however it ended.
 *
 * One call at a time. Each throws `TARGET_GONE` where the system is no more, and
 * what the machine throws; the core knows the true state then too.
 */
import { examine, examineObject } from "./examine.ts";
import type { Machine } from "./machine.ts";
import { objectGone, withObject } from "./objects.ts";
import { type Outcome, refused } from "./outcome.ts";
import type { Patch, PatchObject } from "./patch.ts";
import type { CoreRecord, Layer, LoadedPatch, TransitionRecord } from "./record.ts";
import { Registry } from "./registry.ts";
import { type PatchStatus, statusOf } from "./status.ts";
import { Transition, type TransitionOptions } from "./transition.ts";

/**
 * What a system is asked to do goes through one of these. What cannot be done is an
 * outcome (`refused`), not an error.
 */
export class Core {
  readonly #registry: Registry;

  private constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Finds the true state of a system in its record. Throws `CORE_RECORD_CORRUPT`. */
  static open(machine: Machine): Core {
    return new Core(new Registry(machine));
  }

  get record(): CoreRecord {
    return this.#registry.record;
  }

  /** The transition that has not ended, if there is one. */
  get transition(): TransitionRecord | undefined {
    return this.record.transition;
  }

  get patches(): readonly PatchStatus[] {
    return this.record.patches.map((patch) => statusOf(this.record, patch));
  }

  /** Enables a new patch. Where that ends `refused` or `reversed`, the core has forgotten the patch. */
  async load(patch: Patch, options: TransitionOptions = {}): Promise<Outcome> {
    const refusal = this.#pending() ?? examine(this.record, patch);
    if (refusal !== undefined) return refusal;
    const patches = [...this.record.patches, { ...patch, forced: false }];
    return this.#patch({ ...this.record, patches }, patch, true, options);
  }

  /** Enables a disabled patch again, on top of all others. During a transition of the same patch: goes on, or turns round. */
  async enable(name: string, options: TransitionOptions = {}): Promise<Outcome> {
    const settled = await this.#settle(name, "patch", options);
    if (settled !== undefined) return settled;
    const patch = this.#find(name);
    if (patch === undefined) return unknown(name);
    if (this.#isEnabled(name)) return refused("ALREADY_ENABLED", `${name} is enabled`, name, "nothing is to be done");
    const refusal = examine(this.record, patch);
    if (refusal !== undefined) return refusal;
    return this.#patch(this.record, patch, false, options);
  }

  /**
   * Takes a patch out of effect; any patch, not only the last: where others are
   * above it, their versions stay. During a transition of the same patch: turns round, or goes on.
   */
  async disable(name: string, options: TransitionOptions = {}): Promise<Outcome> {
    const settled = await this.#settle(name, "unpatch", options);
    if (settled !== undefined) return settled;
    if (this.#find(name) === undefined) return unknown(name);
    const layer = this.record.layers.find((each) => each.patch === name);
    if (layer === undefined)
      return refused("ALREADY_DISABLED", `${name} is not enabled`, name, "nothing is to be done");
    const to = this.record.layers.filter((each) => each !== layer);
    return this.#begin(
      this.record,
      { patch: name, objects: layer.objects, kind: "unpatch", to, loading: false },
      options,
    );
  }

  /** Forgets a disabled patch, so that its code can be taken out of the system: once no stack refers to it. */
  unload(name: string): Outcome {
    const patch = this.#find(name);
    if (patch === undefined) return unknown(name);
    const { transition } = this.record;
    if (transition?.patch === name || transition?.from.some((each) => each.patch === name)) return this.#busy();
    if (patch.forced)
      return refused(
        "PATCH_FORCED",
        `${name} was left by force: tasks may be inside its code for ever`,
        name,
        "it stays in memory until the program ends",
      );
    if (this.#isEnabled(name)) return refused("PATCH_ENABLED", `${name} is enabled`, name, "disable it first");
    this.#registry.save({ ...this.record, patches: this.record.patches.filter((each) => each !== patch) });
    return done();
  }

  /** Goes on with a transition that was left as it was: a killed command's, or one kept at its deadline. */
  async resume(options: TransitionOptions = {}): Promise<Outcome> {
    const { transition } = this.record;
    if (transition === undefined) return noTransition();
    const session = new Transition(this.#registry, options);
    switch (transition.phase) {
      case "before":
        return session.begin(this.record, transition);
      case "moving":
        return session.proceed(transition);
      case "after":
        return session.finish();
    }
  }

  /** Turns a transition round in the middle, whichever way it goes. */
  async reverse(options: TransitionOptions = {}): Promise<Outcome> {
    const { transition } = this.record;
    if (transition === undefined) return noTransition();
    const session = new Transition(this.#registry, options);
    switch (transition.phase) {
      case "before":
        return session.cancel();
      case "moving":
        return session.reverse();
      case "after":
        return refused(
          "TRANSITION_OVER",
          "all tasks have switched already",
          transition.patch,
          "finish it, then go the other way",
        );
    }
  }

  /**
   * Ends a transition whatever tasks are in the way of: they go on in the old code
   * they are in, and call new code from there. The patches that are left stay in memory for ever.
   */
  async force(options: TransitionOptions = {}): Promise<Outcome> {
    const { transition } = this.record;
    if (transition === undefined) return noTransition();
    if (transition.phase !== "moving") return this.resume(options);
    return new Transition(this.#registry, options).force(transition);
  }

  /** An object that a patch was waiting for is loaded now: it is patched as the others were, if the patch is enabled. */
  async objectLoaded(name: string, object: PatchObject, options: TransitionOptions = {}): Promise<Outcome> {
    const patch = this.#find(name);
    if (patch === undefined) return unknown(name);
    const refusal = this.#pending() ?? examineObject(this.record, patch, object);
    if (refusal !== undefined) return refusal;
    const record = withObject(this.record, patch, object);
    if (!this.#isEnabled(name)) {
      this.#registry.save(record);
      return done();
    }
    const to = record.layers.map((layer) =>
      layer.patch === name ? { ...layer, objects: [...layer.objects, object.name] } : layer,
    );
    return this.#begin(record, { patch: name, objects: [object.name], kind: "patch", to, loading: true }, options);
  }

  /** An object was unmapped, its hooks with it. No callbacks are run: what they look after is gone. Also during a transition. */
  objectGone(object: string): void {
    objectGone(this.#registry, object);
  }

  #patch(record: CoreRecord, patch: Patch, loading: boolean, options: TransitionOptions): Promise<Outcome> {
    const objects = patch.objects.map((object) => object.name);
    const layer: Layer = { patch: patch.name, objects };
    const to = patch.replace ? [layer] : [...record.layers, layer];
    return this.#begin(record, { patch: patch.name, objects, kind: "patch", to, loading }, options);
  }

  #begin(
    record: CoreRecord,
    what: Pick<TransitionRecord, "patch" | "objects" | "kind" | "to" | "loading">,
    options: TransitionOptions,
  ): Promise<Outcome> {
    const transition: TransitionRecord = { ...what, from: record.layers, phase: "before", reversed: false, called: [] };
    return new Transition(this.#registry, options).begin({ ...record, transition }, transition);
  }

  /**
   * What a wish for a patch means during a transition: of the same patch, to go on
   * or to turn round; of another, that it has to wait. undefined where there is none.
   */
  async #settle(
    name: string,
    towards: TransitionRecord["kind"],
    options: TransitionOptions,
  ): Promise<Outcome | undefined> {
    const { transition } = this.record;
    if (transition === undefined) return undefined;
    if (transition.patch !== name) return this.#busy();
    const heading = (transition.kind === towards) !== transition.reversed;
    if (heading) return this.resume(options);
    if (transition.phase !== "after") return this.reverse(options);
    await this.resume(options);
    return undefined;
  }

  #pending(): Outcome | undefined {
    return this.transition === undefined ? undefined : this.#busy();
  }

  #busy(): Outcome {
    const name = this.transition?.patch ?? "";
    const hint = "enable or disable that one: it goes on, or is turned round";
    return refused("TRANSITION_IN_PROGRESS", `the transition of ${name} has not ended`, name, hint);
  }

  #find(name: string): LoadedPatch | undefined {
    return this.record.patches.find((each) => each.name === name);
  }

  #isEnabled(name: string): boolean {
    return this.record.layers.some((layer) => layer.patch === name);
  }
}

function done(): Outcome {
  return { kind: "done", cost: { stops: [], tries: 0, tasks: new Map() }, notes: [] };
}

function unknown(name: string): Outcome {
  return refused("NO_SUCH_PATCH", `no patch ${name} is loaded`, name, "list those that are");
}

function noTransition(): Outcome {
  return refused("NO_TRANSITION", "no transition is pending", "", "list what is loaded");
}
