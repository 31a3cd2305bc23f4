/** A process of which some or all threads stand still, and can be changed: their registers, stacks and thread pointers. */
import type { ThreadPointerSource } from "../../arch/hook-abi.ts";
import type { Registers } from "../../arch/registers.ts";
import type { CodeRange, Obstacle, Stack } from "../../core/machine.ts";
import { SutureError } from "../../lib/error.ts";
import type { ProcessHooks, StoppedTasks } from "../hooks/process-hooks.ts";
import { StackReferences } from "../hooks/stack-references.ts";
import { leaveStub } from "../hooks/stub-reset.ts";
import { type Mapping, mappingsOf } from "../os/mappings.ts";
import { nativeWords } from "../os/native.ts";
import type { TracedProcess } from "../tracer/traced-process.ts";
import { type StackSources, StoppedStacks } from "./stopped-stacks.ts";

const WORD = 8;
/** A stack that is deeper is not searched word by word. */
const MOST_STACK = 64 << 20;

/** Good for one stop: what it has read of stacks is no longer true afterwards. */
export class StoppedProcess extends StoppedStacks implements StoppedTasks {
  readonly #traced: TracedProcess;
  #mappings: readonly Mapping[] | undefined;

  /** As that of `StoppedStacks`; tasks that stand in a stub are put back to the entry: none has chosen a version and not entered it. */
  constructor(tasks: readonly number[], traced: TracedProcess, by: StackSources<ProcessHooks>) {
    super(tasks, traced, by);
    this.#traced = traced;
    if (this.areas.length === 0) return;
    for (const task of tasks) {
      const registers = traced.registers(task);
      if (leaveStub(registers, this.areas, traced.memory)) traced.setRegisters(task, registers);
    }
  }

  /** None stands in a stub. */
  override registers(task: number): Registers {
    return this.#traced.registers(task);
  }

  setRegisters(task: number, registers: Registers): void {
    this.#traced.setRegisters(task, registers);
    this.forget(task);
  }

  stackMemory(task: number): Buffer | undefined {
    this.#mappings ??= mappingsOf(this.#traced.pid);
    const stackPointer = this.#traced.registers(task).sp;
    const start = stackPointer - (stackPointer % WORD);
    const mapping = this.#mappings.find((each) => start >= each.start && start < each.end);
    if (mapping === undefined || !mapping.writable || mapping.end - start > MOST_STACK) return undefined;
    return this.#traced.memory.tryRead(start, mapping.end - start);
  }

  threadPointer(task: number): number {
    return this.#traced.registers(task).threadPointer;
  }

  behind(hooks: ProcessHooks): ReadonlySet<number> {
    if (!hooks.isChoosing) return new Set();
    const pointers = hooks.behind;
    return new Set(this.tasks.filter((task) => pointers.has(this.threadPointer(task))));
  }

  /**
   * Thread pointers of those tasks that are still there. Throws `TASKS_ALIKE` where
   * stubs could not tell tasks apart by them.
   */
  threadPointersOf(wanted: ReadonlySet<number>, source: ThreadPointerSource): number[] {
    const owners = new Map<number, number>();
    for (const task of this.tasks) {
      const pointer = this.threadPointer(task);
      const why = this.#whyNotTold(pointer, owners.get(pointer), source);
      if (why !== undefined) {
        throw new SutureError("TASKS_ALIKE", `threads cannot be told apart at a function's entry: ${why}`, {
          where: `thread ${task}`,
          hint: "load it with --consistency stop",
        });
      }
      owners.set(pointer, task);
    }
    return [...owners].filter(([, task]) => wanted.has(task)).map(([pointer]) => pointer);
  }

  #whyNotTold(pointer: number, other: number | undefined, source: ThreadPointerSource): string | undefined {
    if (pointer === 0 || pointer % WORD !== 0) return "a thread has no thread pointer";
    if (other !== undefined) return `it has the thread pointer of ${other}`;
    if (source === "instruction") return undefined;
    const own = this.#traced.memory.tryRead(pointer, WORD);
    return own !== undefined && nativeWords().size(own, 0) === pointer
      ? undefined
      : "its thread pointer is not where C libraries keep it";
  }

  /** Tasks whose stack refers to an address in these ranges, or cannot be told. */
  tasksIn(ranges: readonly CodeRange[]): Obstacle[] {
    const found: Obstacle[] = [];
    for (const task of this.tasks) {
      const stack = this.stack(task);
      const inside = stack.frames.find(({ ip }) => ranges.some(({ start, end }) => ip >= start && ip < end));
      if (inside !== undefined) found.push({ task, why: `it is in code at 0x${inside.ip.toString(16)}` });
      else if (stack.kind === "unreliable" && mayReach(stack, ranges)) found.push({ task, why: stack.why });
    }
    return found;
  }

  /**
   * Puts tasks that stand in trampolines back into the originals, whose bytes are
   * in place; a task that only will return to one is why it cannot be now.
   */
  leaveTrampolines({ sites }: ProcessHooks): Obstacle | undefined {
    const references = new StackReferences(this);
    // What a trampoline stands for, where a stack is told by its frames; else the trampolines themselves.
    const entries = sites.map(({ displacement: { hookAt, bytes, fallsThrough } }) => ({
      start: hookAt,
      // A trampoline's last instruction stands for what lies behind the hook, unless nothing leads there but returns.
      end: hookAt + bytes.length + (fallsThrough ? 1 : 0),
    }));
    for (const task of this.tasks) {
      const ranges = this.stack(task).kind === "reliable" ? [...entries, ...this.areas] : this.areas;
      if (references.taskMayRefer(task, ranges))
        return { task, why: "a signal handler may return to the entry of a function" };
    }
    for (const task of this.tasks) {
      const registers = this.registers(task);
      const ip = registers.pc;
      for (const { trampoline } of sites) {
        const { origins, pushed } = trampoline;
        const isHalfCalled = pushed !== undefined && trampoline.start + pushed.offset === ip;
        const origin = isHalfCalled ? pushed : origins.find(({ offset }) => trampoline.start + offset === ip);
        if (origin === undefined) continue;
        if (isHalfCalled) registers.sp += WORD;
        registers.pc = origin.original;
        this.setRegisters(task, registers);
      }
    }
    return undefined;
  }
}

/** Whether a task whose frames are not told may come to code in these ranges. */
function mayReach({ mayReach }: Extract<Stack, { kind: "unreliable" }>, ranges: readonly CodeRange[]): boolean {
  const addresses = mayReach?.();
  // One behind the end may be returned to by a call that is the last instruction.
  return addresses?.some((address) => ranges.some(({ start, end }) => address >= start && address <= end)) ?? true;
}
