/** A process that is looked at: its threads can be stopped and their stacks read, and nothing of it can be changed. */

import type { CodeRange, Doing, Site, Stack, StopCost, TaskId } from "../../core/machine.ts";
import { recordWithout } from "../../core/objects.ts";
import { type CoreRecord, decodeRecord, EMPTY_RECORD } from "../../core/record.ts";
import type { Refusal } from "../../patch/refusal.ts";
import { HooksInForce } from "../hooks/hooks-in-force.ts";
import { findRoom } from "../hooks/room.ts";
import { isOurs, registerPart } from "../loader/placing.ts";
import type { ProcessView } from "../maps/process-view.ts";
import { type Mapping, mappingsOf } from "../os/mappings.ts";
import { hasShadowStack } from "../os/processor-features.ts";
import { doingOf } from "../os/task-doing.ts";
import type { ImageStore } from "../stack/images.ts";
import { findControl, withSites } from "../store/find-control.ts";
import { type LoadRecord, readLoadRecord } from "../store/load-record.ts";
import { ObservedThreads } from "../tracer/observed-threads.ts";
import { StackReader } from "./stack-reader.ts";
import { StoppedStacks } from "./stopped-stacks.ts";
import { objectOf, unmappedObjects } from "./unmapped.ts";
import { warmUpReading } from "./warm-up.ts";

/** It has no means to write, to map or to make a thread do anything: what changes a process is `OpenProcess`. */
export class ObservedProcess implements Disposable {
  /** What the core remembers, without what is no more. */
  readonly core: CoreRecord;
  /** Which livepatches are mapped. */
  readonly record: LoadRecord;
  readonly #threads: ObservedThreads;
  readonly #mappings: readonly Mapping[];
  readonly #stacks: StackReader;
  readonly #hooks: HooksInForce;

  /**
   * @param view how the process looks now
   *
   * Throws what tracing throws, `CONTROL_CORRUPT`, `RECORD_UNREADABLE` and `CORE_RECORD_CORRUPT`.
   */
  constructor(view: ProcessView, images: ImageStore) {
    const { pid } = view;
    const where = `process ${pid}`;
    const unmapped = unmappedObjects(view, where);
    warmUpReading();
    this.#threads = ObservedThreads.of(pid);
    try {
      const mappings = mappingsOf(pid);
      this.#mappings = mappings;
      const { memory } = this.#threads;
      this.#stacks = new StackReader(this.#threads, images);
      this.#hooks = new HooksInForce(memory, hasShadowStack(pid));
      const found = findControl(mappings, memory);
      if (found !== undefined)
        this.#hooks.adopt(
          withSites(found, (site) => !unmapped.has(objectOf(site))),
          mappings,
        );
      const { core, extra } = this.#hooks.state;
      this.core = [...unmapped].reduce(recordWithout, core === undefined ? EMPTY_RECORD : decodeRecord(core));
      this.record = readLoadRecord(extra, where);
      this.#registerCode();
      this.#stacks.prepare(mappings);
    } catch (error) {
      this.#threads[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#threads[Symbol.dispose]();
  }

  #registerCode(): void {
    this.#stacks.refreshRegions(this.#hooks);
    const process = {
      read: (address: number, size: number): Buffer => this.#threads.memory.read(address, size),
      registerCode: (code: Parameters<StackReader["registerCode"]>[0]): void =>
        this.#stacks.registerCode(code, this.#hooks),
    };
    for (const { name, objects } of [...this.record.patches, ...(this.record.kept ?? [])])
      for (const part of objects) if (isOurs(part.executable, this.#mappings, true)) registerPart(process, name, part);
  }

  /** Free addresses near some code: see `PatchedProcess.room`. */
  room(near: CodeRange, size: number): CodeRange | undefined {
    return findRoom(mappingsOf(this.#threads.pid), near, size);
  }

  /** Whether the function has had a hook of ours, so that what lies at its entry is ours. */
  isHooked(site: Site): boolean {
    return this.#hooks.isHooked(site);
  }

  /** Whether a function can be hooked: see `PatchedProcess.examineSite`. */
  examineSite(site: Site, paddingEnd?: number): Refusal | undefined {
    return this.#hooks.examine({ site, paddingEnd });
  }

  /** Stops all threads and has their stacks read. Throws `TARGET_GONE`, and `Unstoppable` where a thread does not stop now. */
  stopped<T>(body: (system: { readonly tasks: readonly TaskId[]; stack(task: TaskId): Stack }) => T): {
    readonly value: T;
    readonly cost: StopCost;
  } {
    const { unwinder, canBeTold } = this.#stacks;
    return this.#stacks.stopped((tasks) =>
      body(new StoppedStacks(tasks, this.#threads, { unwinder, hooks: this.#hooks, canBeTold })),
    );
  }

  /** Of a task that stands still: whether its system calls are sent to the program. */
  isDispatching(task: TaskId): boolean {
    return this.#threads.isDispatching(task);
  }

  doing(task: TaskId): Doing {
    return doingOf(this.#threads.pid, task);
  }

  /** See `Machine.hasSuspended`. */
  hasSuspended(ranges: readonly CodeRange[]): boolean {
    return this.#stacks.strays.exist(ranges);
  }

  /** See `Machine.suspendedIn`. */
  suspendedIn(ranges: readonly CodeRange[]): { readonly address: number; readonly where: string } | undefined {
    return this.#stacks.strays.in(ranges);
  }
}
