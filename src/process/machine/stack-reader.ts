/** Reads the stacks of one process's threads, and those that are no thread's. */
import type { CodeRange, StopCost } from "../../core/machine.ts";
import type { HooksInForce } from "../hooks/hooks-in-force.ts";
import type { NewCode } from "../loader/patched-process.ts";
import type { Mapping } from "../os/mappings.ts";
import type { ImageStore } from "../stack/images.ts";
import type { Region } from "../stack/regions.ts";
import { StrayStacks } from "../stack/suspended/stray-stacks.ts";
import { SuspendedStacks } from "../stack/suspended/suspended-stacks.ts";
import { Unwinder } from "../stack/unwinder.ts";
import type { ObservedThreads } from "../tracer/observed-threads.ts";
import { regionOfCode, regionsOfHooks } from "./hook-regions.ts";

/** Knows our own code in the process as well, which no file describes. */
export class StackReader {
  readonly unwinder: Unwinder;
  readonly strays: StrayStacks;
  readonly #threads: ObservedThreads;
  readonly #newCode = new Map<NewCode, Region>();

  /** @param images shared by the readers of many processes of the same program */
  constructor(threads: ObservedThreads, images: ImageStore | undefined) {
    const { pid, memory } = threads;
    this.#threads = threads;
    this.unwinder = new Unwinder(pid, { read: (address, size) => memory.tryRead(address, size) }, images);
    this.strays = new StrayStacks(new SuspendedStacks(pid, memory, this.unwinder), () => threads.attend());
  }

  /** Makes ready for a stop, while the process runs. */
  prepare(mappings: readonly Mapping[]): void {
    this.unwinder.prepare({ mappings });
  }

  /** Of a task without reliable frames: whether all is known that it may come to. */
  readonly canBeTold = (isOnOther: boolean): boolean => this.strays.canTell(isOnOther);

  /** All threads stand still while the body runs. */
  stopped<T>(body: (tasks: readonly number[]) => T): { readonly value: T; readonly cost: StopCost } {
    return this.#threads.stopped(() => {
      this.strays.isStopped = true;
      try {
        this.unwinder.beginStop();
        return body(this.#threads.tasks);
      } finally {
        this.strays.isStopped = false;
      }
    });
  }

  /** What there is of our code in the process: new functions that were registered, and that of hooks. */
  refreshRegions(hooks: HooksInForce): void {
    this.unwinder.setRegions([...this.#newCode.values(), ...regionsOfHooks(hooks)]);
  }

  registerCode(code: NewCode, hooks: HooksInForce): void {
    this.#newCode.set(code, regionOfCode(code));
    this.refreshRegions(hooks);
  }

  forgetCode({ start, end }: CodeRange, hooks: HooksInForce): void {
    for (const code of [...this.#newCode.keys()])
      if (code.range.start < end && start < code.range.end) this.#newCode.delete(code);
    this.refreshRegions(hooks);
  }
}
