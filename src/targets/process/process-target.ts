/** The verbs on one running process. Each attaches, does its work, and lets go. */

import type { Obstacle } from "../../core/machine.ts";
import { type Outcome, refused } from "../../core/outcome.ts";
import type { CoreRecord } from "../../core/record.ts";
import { statusOf } from "../../core/status.ts";
import type { TransitionOptions } from "../../core/transition.ts";
import { SutureError } from "../../lib/error.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { MOST_PLACES, roomTaken } from "../../process/hooks/mapper.ts";
import { type BoundObject, bindObjects } from "../../process/loader/bind.ts";
import type { ProgramLivepatch } from "../../process/loader/livepatch.ts";
import { placePatch } from "../../process/loader/placing.ts";
import { tellUnwinder } from "../../process/loader/tell-unwinder.ts";
import { dispatchRefused, SYSCALL_DISPATCH } from "../../process/machine/dispatched-calls.ts";
import { ObservedProcess } from "../../process/machine/observed-process.ts";
import { OpenProcess } from "../../process/machine/open-process.ts";
import type { KnownSymbols } from "../../process/maps/dynamic.ts";
import { ProcessView } from "../../process/maps/process-view.ts";
import { ImageStore } from "../../process/stack/images.ts";
import type { LoadRecord } from "../../process/store/load-record.ts";
import type { Target } from "../target.ts";
import type { VerbResult } from "../verb-result.ts";
import { withCommands } from "./core-advice.ts";
import { adviceFor } from "./deadline-advice.ts";
import { unreachedProcesses } from "./new-processes.ts";
import { newerRecord, newerRefused } from "./newer-record.ts";
import { type Plan, planFor } from "./plan.ts";
import { processRefusals } from "./preflight.ts";
import { holdersOf } from "./stack-holders.ts";
import { takeAway } from "./take-away.ts";
import { costRecord, holderRecord } from "./verb-records.ts";

/** How transitions go, and what several targets may share. */
export interface ProcessTargetOptions extends TransitionOptions {
  /** Shared between the processes of one command: what is known of files that many of them run. */
  readonly images?: ImageStore | undefined;
  readonly symbols?: KnownSymbols | undefined;
}

/** A livepatch, and its parts for objects that the process has loaded. */
interface BoundLivepatch {
  readonly livepatch: ProgramLivepatch;
  readonly bound: readonly BoundObject[];
}

/**
 * Holds nothing of the process between two verbs: each finds its state anew. Verbs of
 * one process are called one at a time.
 */
export class ProcessTarget implements Target<ProgramLivepatch> {
  readonly pid: number;
  readonly #options: ProcessTargetOptions;
  readonly #images: ImageStore;
  readonly #symbols: KnownSymbols;

  constructor(pid: number, options: ProcessTargetOptions = {}) {
    this.pid = pid;
    this.#options = options;
    this.#images = options.images ?? new ImageStore();
    this.#symbols = options.symbols ?? new Map();
  }

  /** Why the livepatch would not be taken in, and which threads would be in the way now; nothing is changed. Throws what `load` throws. */
  async preflight(livepatch: ProgramLivepatch): Promise<VerbResult> {
    using view = new ProcessView(this.pid, this.#symbols);
    const { bound, refusals } = bindObjects(livepatch, view);
    const early = [...newerThere(view), ...processRefusals(view), ...refusals];
    if (early.length > 0) return this.#refused(view.status.name, early);
    using process = new ObservedProcess(view, this.#images);
    if (process.core.patches.some(({ name }) => name === livepatch.name)) {
      const refused = this.#alreadyThere(process, process.core, view.status.name, livepatch);
      return refused ?? { ...this.#empty(view.status.name), outcome: "unchanged" };
    }
    const plan = planFor(livepatch, bound, view, { process, record: process.record });
    const { holders, never, cost } = holdersOf(plan, view, process);
    const found = [...plan.refusals, ...never];
    const base = { ...this.#empty(view.status.name), holders, cost, notes: unreachedProcesses(view) };
    return found.length === 0 ? base : { ...base, outcome: "refused", problems: found };
  }

  /**
   * Takes in a livepatch and enables it; where it is refused, or time is over,
   * nothing of it stays. Throws what looking into and attaching to a process throw:
   * `TARGET_GONE`, `PTRACE_DENIED`, `PROC_UNREADABLE`, and `TARGET_OUT_OF_MEMORY`.
   */
  async load(livepatch: ProgramLivepatch): Promise<VerbResult> {
    using view = new ProcessView(this.pid, this.#symbols);
    const { bound, refusals } = bindObjects(livepatch, view);
    const early = [...newerThere(view), ...processRefusals(view), ...refusals];
    if (early.length > 0) return this.#refused(view.status.name, early);
    using open = new OpenProcess(view, this.#images);
    const there = open.core.patches.find(({ name }) => name === livepatch.name);
    if (there !== undefined) return await this.#loadAgain(open, view, livepatch, bound);
    return await this.#place(open, view, { livepatch, bound }, (plan) => open.core.load(plan.patch, this.#options));
  }

  /** Brings in the livepatch's parts for some objects, and has the core take them. */
  async #place(
    open: OpenProcess,
    view: ProcessView,
    { livepatch, bound }: BoundLivepatch,
    take: (plan: Plan) => Promise<Outcome>,
  ): Promise<VerbResult> {
    for (let tried = 1; ; tried++) {
      const plan = planFor(livepatch, bound, view, open);
      if (plan.refusals.length > 0) return this.#refused(view.status.name, plan.refusals);
      // Until the core has it nothing of the code has run.
      let unused = mappedFor(plan);
      try {
        const result = await this.#placePlanned(open, view, { livepatch, plan }, async () => {
          unused = new Set();
          const outcome = await take(plan);
          if (outcome.kind === "refused" && !hasCallbacks(plan)) unused = mappedFor(plan);
          return outcome;
        });
        if (result !== undefined) return result;
        if (tried === MOST_PLACES) throw roomTaken(plan.rooms[0] ?? { start: 0, end: 0 });
      } catch (error) {
        if (error instanceof SutureError && error.code === SYSCALL_DISPATCH)
          return this.#refused(view.status.name, [dispatchRefused(this.pid)]);
        throw error;
      } finally {
        this.#clear(open, unused);
      }
    }
  }

  /** undefined where the program has mapped something there since it was planned: another place is to be planned then. */
  async #placePlanned(
    open: OpenProcess,
    view: ProcessView,
    { livepatch, plan }: { readonly livepatch: ProgramLivepatch; readonly plan: Plan },
    take: () => Promise<Outcome>,
  ): Promise<VerbResult | undefined> {
    let placed: LoadRecord | undefined;
    const { task, stoppedUs } = open.process.together(() => {
      open.process.prepareSites(plan.sites, plan.rooms);
      placed = placePatch(open.process, open.record, livepatch, plan);
    });
    if (placed === undefined) return undefined;
    open.placed(placed);
    const busy = tellUnwinder(open.process, plan.objects, view);
    if (busy !== undefined) return this.#refused(view.status.name, [busy]);
    const replaced = livepatch.metadata.replace ? open.core.record.layers.map(({ patch }) => patch) : [];
    const result = this.#result(view.status.name, livepatch.name, await take());
    if (result.cost === undefined) return result;
    const cost = { mapping: { tid: task, stoppedUs }, ...result.cost };
    if (result.outcome !== "done") return { ...result, cost };
    const notes = replaced.map((name) => `it takes the place of ${name}, which is disabled now`);
    return { ...result, notes: [...result.notes, ...notes, ...unreachedProcesses(view)], cost };
  }

  async enable(patch: string): Promise<VerbResult> {
    return await this.#withPatch(patch, (open) => open.core.enable(patch, this.#options));
  }

  async disable(patch: string): Promise<VerbResult> {
    return await this.#withPatch(patch, (open) => open.core.disable(patch, this.#options));
  }

  /** Ends a transition without regard for the tasks that hold it up. Such a patch stays in memory as long as the process lives. */
  async force(patch: string): Promise<VerbResult> {
    return await this.#withPatch(patch, async (open) => {
      const pending = open.core.transition?.patch ?? patch;
      if (pending === patch) return await open.core.force(this.#options);
      const hint = `suture force ${pending}, if that is what is meant`;
      return refused("TRANSITION_IN_PROGRESS", `it is ${pending} that is in transition, not ${patch}`, patch, hint);
    });
  }

  /**
   * Takes a patch out, disabled before where it is enabled. What the program may
   * have addresses of stays mapped, and is told in `kept`.
   */
  async unload(patch: string): Promise<VerbResult> {
    return await this.#withPatch(patch, (open) => takeAway(open.core, patch, this.#options), true);
  }

  async #withPatch(patch: string, verb: (open: OpenProcess) => Promise<Outcome>, clears = false): Promise<VerbResult> {
    using view = new ProcessView(this.pid);
    const { name } = view.status;
    const newer = newerThere(view);
    if (newer.length > 0) return this.#refused(name, newer);
    using open = new OpenProcess(view, this.#images);
    if (!open.core.patches.some((each) => each.name === patch)) {
      const where = `${name} (${this.pid})`;
      return this.#refused(name, [
        refusal("NO_SUCH_PATCH", `there is no livepatch ${patch}`, where, "see: suture list"),
      ]);
    }
    const outcome = await verb(open);
    const left = clears ? this.#clear(open) : [];
    const result = this.#result(name, patch, outcome);
    const kept = clears && outcome.kind === "done" ? keptBytes(open, patch) : 0;
    const notes = [...result.notes, ...left.map(({ task, why }) => stays(patch, task, why))];
    return { ...result, notes, ...(kept === 0 ? {} : { kept }) };
  }

  #clear(open: OpenProcess, unused?: ReadonlySet<number>): readonly Obstacle[] {
    try {
      return open.clear(unused);
    } catch (error) {
      // The process has ended, and all that was in it.
      if (error instanceof SutureError && error.code === "TARGET_GONE") return [];
      throw error;
    }
  }

  /** The livepatch, or another of its name, is there: a transition goes on, and parts for what was loaded since are brought in. */
  async #loadAgain(
    open: OpenProcess,
    view: ProcessView,
    livepatch: ProgramLivepatch,
    bound: readonly BoundObject[],
  ): Promise<VerbResult> {
    const { name } = view.status;
    const refused = this.#alreadyThere(open, open.core.record, name, livepatch);
    if (refused !== undefined) return refused;
    if (open.core.transition?.patch === livepatch.name)
      return this.#result(name, livepatch.name, await open.core.enable(livepatch.name, this.#options));
    const absent = open.core.patches.find((each) => each.name === livepatch.name)?.absent ?? [];
    const come = bound.filter(({ part }) => absent.includes(part.record.name));
    if (come.length === 0) return { ...this.#empty(name), outcome: "unchanged" };
    return await this.#place(open, view, { livepatch, bound: come }, async ({ patch: { objects } }) => {
      let outcome: Outcome | undefined;
      for (const object of objects) {
        outcome = await open.core.objectLoaded(livepatch.name, object, this.#options);
        if (outcome.kind !== "done") break;
      }
      return outcome ?? { kind: "done", cost: { stops: [], tries: 0, tasks: new Map() }, notes: [] };
    });
  }

  #alreadyThere(
    { record }: { readonly record: LoadRecord },
    core: CoreRecord,
    name: string,
    livepatch: ProgramLivepatch,
  ): VerbResult | undefined {
    const where = `${name} (${this.pid})`;
    const placed = record.patches.find((each) => each.name === livepatch.name);
    if (placed?.digest !== livepatch.digest) {
      const what = `another livepatch called ${livepatch.name} is loaded`;
      const hint = "unload that one first, or build this one under another name";
      return this.#refused(name, [refusal("ALREADY_LOADED", what, where, hint)]);
    }
    const isEnabled = core.patches.some((each) => each.name === livepatch.name && statusOf(core, each).enabled);
    if (isEnabled || core.transition?.patch === livepatch.name) return undefined;
    const what = `${livepatch.name} is loaded and disabled`;
    return this.#refused(name, [refusal("ALREADY_LOADED", what, where, `suture enable ${livepatch.name}`)]);
  }

  #empty(name: string): VerbResult {
    return { pid: this.pid, name, outcome: "done", problems: [], notes: [], holders: [] };
  }

  #refused(name: string, refusals: readonly Refusal[]): VerbResult {
    return { ...this.#empty(name), outcome: "refused", problems: refusals };
  }

  #result(name: string, patch: string, outcome: Outcome): VerbResult {
    if (outcome.kind === "refused") {
      if (UNCHANGED.has(outcome.refusal.code)) return { ...this.#empty(name), outcome: "unchanged" };
      return this.#refused(name, [withCommands(outcome.refusal)]);
    }
    const base = { ...this.#empty(name), notes: outcome.notes, cost: costRecord(outcome.cost) };
    if (outcome.kind === "done") return base;
    const holders = outcome.holders.map((holder) => holderRecord(this.pid, holder));
    return { ...base, outcome: outcome.kind, holders, problems: [this.#late(name, patch, outcome)] };
  }

  #late(name: string, patch: string, { kind, holders }: Extract<Outcome, { kind: "reversed" | "pending" }>): Refusal {
    const where = `${name} (${this.pid})`;
    if (this.#options.signal?.aborted === true && kind === "reversed")
      return refusal("INTERRUPTED", "stopped before every thread had switched: all is as it was before", where, "");
    if (kind === "reversed") {
      const what = "not every thread could switch in time: all is as it was before";
      return refusal("DEADLINE", what, where, adviceFor(holders, this.#options.consistency));
    }
    const what = "not every thread has switched, and the transition goes on";
    const hint = `it goes on with suture enable ${patch}, back with suture disable ${patch}, and is ended by suture force ${patch}`;
    return refusal("TRANSITION_PENDING", what, where, hint);
  }
}

/** Looked at before the process is attached to: an older suture does not even stop it. */
function newerThere(view: ProcessView): Refusal[] {
  const newer = newerRecord(view);
  return newer === undefined ? [] : [newerRefused(newer, `${view.status.name} (${view.pid})`)];
}

/** Where code starts that is mapped for a plan. */
function mappedFor({ objects }: Plan): ReadonlySet<number> {
  return new Set(objects.filter(({ isKept }) => !isKept).map(({ executable }) => executable.start));
}

function hasCallbacks({ objects }: Plan): boolean {
  return objects.some(({ callbacks }) => Object.keys(callbacks).length > 0);
}

function keptBytes({ record: { kept = [] } }: OpenProcess, patch: string): number {
  const parts = kept.filter(({ name }) => name === patch).flatMap(({ objects }) => objects);
  return parts
    .flatMap(({ executable, writable }) => (writable === undefined ? [executable] : [executable, writable]))
    .reduce((sum, { start, end }) => sum + end - start, 0);
}

/** What was asked for is so already. */
const UNCHANGED = new Set(["ALREADY_ENABLED", "ALREADY_DISABLED"]);

function stays(patch: string, task: number, why: string): string {
  return `${patch} keeps its memory until a thread has left it: ${task}: ${why}`;
}
