/** A made-up system that only does what a test lets it do: sites `server:a,0`, `server:b,0` and `lib:x,0`. */

import { Core } from "../../src/core/core.ts";
import type { Site } from "../../src/core/machine.ts";
import type { Func, Patch, PatchObject } from "../../src/core/patch.ts";
import { Laws } from "./laws.ts";
import { type MachineOptions, MadeUpMachine } from "./made-up-machine.ts";
import { MadeUpSystem, type SystemTask } from "./made-up-system.ts";
import { Random } from "./random.ts";

export const A = "server:a,0";
export const B = "server:b,0";
export const X = "lib:x,0";

const CALLBACKS = ["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"] as const;

export interface PatchOptions {
  readonly replace?: boolean;
  readonly states?: Patch["states"];
  /** Give every object all callbacks. */
  readonly callbacks?: boolean;
  readonly absent?: readonly string[];
}

export class SmallSystem {
  readonly system: MadeUpSystem;
  readonly machine: MadeUpMachine;
  readonly core: Core;
  /** Callbacks that were called, as `p1 server pre_patch`. */
  readonly called: string[] = [];
  /** What callbacks return, by the same names. */
  readonly returns = new Map<string, number>();
  readonly script: { at: number; act: () => void }[] = [];
  readonly #callbacks = new Map<number, string>();
  #place = 0x1000_0000;

  constructor(options: MachineOptions = {}, system = newSystem()) {
    this.system = system;
    this.system.isIdle = true;
    const { script } = this;
    const onCallback = (entry: number) => this.#called(entry);
    this.machine = new MadeUpMachine(this.system, { script, onCallback, ...options });
    this.core = Core.open(this.machine);
  }

  static of(system: MadeUpSystem): SmallSystem {
    return new SmallSystem({}, system);
  }

  /** A core of a fresh command. */
  reopen(): Core {
    this.system.release();
    return Core.open(
      new MadeUpMachine(this.system, { script: this.script, onCallback: (entry) => this.#called(entry) }),
    );
  }

  /** A task that is inside these functions, the last one innermost. */
  task(...sites: readonly string[]): SystemTask {
    const task = this.system.bear();
    for (const site of sites) this.system.enter(task, site);
    return task;
  }

  patch(name: string, sites: readonly string[], options: PatchOptions = {}): Patch {
    const objects = [...new Set(sites.map((site) => site.split(":")[0] as string))];
    return {
      name,
      replace: options.replace ?? false,
      states: options.states ?? [],
      objects: objects.map((object) => this.object(name, object, sites, options.callbacks)),
      absent: options.absent ?? [],
    };
  }

  object(patch: string, object: string, sites: readonly string[], callbacks = false): PatchObject {
    this.#place += 0x1_0000;
    const base = this.#place;
    const own = sites.filter((site) => site.startsWith(`${object}:`));
    const funcs = own.map((id, index): Func => {
      const entry = base + 0x100 * index;
      const ranges = [{ start: entry, end: entry + 0x100 }];
      this.system.versions.set(entry, { patch, ranges });
      return { site: this.system.sites.get(id) as Site, code: { entry, ranges } };
    });
    const entries = CALLBACKS.map((name, index) => [name, base + 0x8000 + index] as const);
    for (const [name, entry] of entries) this.#callbacks.set(entry, `${patch} ${object} ${name}`);
    const code = [{ start: base, end: base + 0x1_0000 }];
    return { name: object, funcs, callbacks: callbacks ? Object.fromEntries(entries) : {}, code };
  }

  /** Which patch's version a call reaches that a task makes now; "original" where it is none's. */
  reached(site: string, task: SystemTask = this.system.bear()): string {
    const version = this.system.reached(task, site);
    return version === "original" ? version : (this.system.versions.get(version)?.patch ?? "nothing");
  }

  /** Whether every site is as if nothing had ever been there. */
  get isOriginal(): boolean {
    return this.system.hooks.size === 0 && this.system.behind.size === 0;
  }

  /** Throws where hooks are not what the record claims. */
  checkHooks(patches: readonly Patch[]): void {
    new Laws(this.system, new Map(patches.map((patch) => [patch.name, patch]))).hooksAsClaimed();
  }

  #called(entry: number): number {
    const name = this.#callbacks.get(entry) ?? "unknown";
    this.called.push(name);
    return this.returns.get(name) ?? 0;
  }
}

function newSystem(): MadeUpSystem {
  const system = new MadeUpSystem(new Random(1));
  const places = { [A]: 0x40_0000, [B]: 0x40_0100, [X]: 0x60_0000 };
  for (const [id, start] of Object.entries(places)) {
    const ranges = [
      { start, end: start + 0x100 },
      { start: start + 0x8000, end: start + 0x8040 },
    ];
    system.sites.set(id, { id, original: { entry: start, ranges } });
  }
  return system;
}
