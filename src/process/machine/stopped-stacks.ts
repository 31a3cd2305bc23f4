/** The stacks of threads that stand still: read, and nothing else. */
import type { Registers } from "../../arch/registers.ts";
import type { Stack } from "../../core/machine.ts";
import type { HooksInForce } from "../hooks/hooks-in-force.ts";
import type { StubArea } from "../hooks/stub-area.ts";
import { leaveStub } from "../hooks/stub-reset.ts";
import type { ReadableMemory } from "../os/memory.ts";
import type { Unwinder } from "../stack/unwinder.ts";

/** Threads that stand still. */
export interface StandingThreads {
  readonly pid: number;
  readonly memory: ReadableMemory;
  registers(task: number): Registers;
}

/** What stacks are read by. */
export interface StackSources<Hooks extends HooksInForce = HooksInForce> {
  readonly unwinder: Unwinder;
  readonly hooks: Hooks;
  /**
   * Of a task without reliable frames, whether it is on a stack that is not its own: whether what
   * lies on stacks that are no task's own is looked at as well.
   */
  readonly canBeTold: (isOnOther: boolean) => boolean;
}

/** Good for one stop: what it has read of stacks is no longer true afterwards. */
export class StoppedStacks {
  readonly tasks: readonly number[];
  readonly #threads: StandingThreads;
  readonly #unwinder: Unwinder;
  protected readonly areas: readonly StubArea[];
  readonly #stacks = new Map<number, Stack>();
  readonly #hooks: HooksInForce;
  readonly #canBeTold: (isOnOther: boolean) => boolean;

  constructor(tasks: readonly number[], threads: StandingThreads, { unwinder, hooks, canBeTold }: StackSources) {
    this.tasks = tasks;
    this.#threads = threads;
    this.#unwinder = unwinder;
    this.#hooks = hooks;
    this.areas = hooks.areas;
    this.#canBeTold = canBeTold;
  }

  /** As they would be had a task that stands in a stub not entered it: it has no effect but to choose, which it has not done. */
  registers(task: number): Registers {
    const registers = this.#threads.registers(task);
    if (this.areas.length === 0) return registers;
    const before = registers.copy();
    return leaveStub(before, this.areas, this.#threads.memory) ? before : registers;
  }

  stack(task: number): Stack {
    const known = this.#stacks.get(task);
    if (known !== undefined) return known;
    const stack = this.#judged(task, this.#unwinder.stack(this.registers(task)));
    this.#stacks.set(task, stack);
    return stack;
  }

  /** The task has other registers now. */
  protected forget(task: number): void {
    this.#stacks.delete(task);
  }

  /** A signal handler that came in a stub returns into it, and what that chooses then is not what is in force. */
  #judged(task: number, stack: Stack): Stack {
    if (stack.kind === "unreliable") return { ...stack, mayReach: () => this.#reachable(task) };
    const inStub = stack.frames.some(({ ip }) => this.areas.some(({ stubs }) => ip >= stubs.start && ip < stubs.end));
    if (!inStub) return this.#withoutChoice(stack);
    return { kind: "unreliable", frames: stack.frames, why: "a signal handler will return to the entry of a function" };
  }

  /** A task that stands at a hook is not inside of the function yet: it will choose. */
  #withoutChoice(stack: Extract<Stack, { kind: "reliable" }>): Stack {
    const [first] = stack.frames;
    if (first === undefined || first.isReturn || !this.#hooks.isAtChoice(first.ip)) return stack;
    return { kind: "reliable", frames: stack.frames.slice(1) };
  }

  /** undefined where that cannot be told, or would lead into a stub. */
  #reachable(task: number): readonly number[] | undefined {
    const reachable = this.#unwinder.reachable(this.registers(task), task === this.#threads.pid);
    if (reachable === undefined || !this.#canBeTold(reachable.isOnOther)) return undefined;
    const { addresses } = reachable;
    const isInStub = (address: number): boolean =>
      this.areas.some(({ stubs }) => address >= stubs.start && address < stubs.end);
    return addresses.some(isInStub) ? undefined : addresses;
  }
}
