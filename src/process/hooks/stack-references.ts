/**
 * Whether stacks refer to some addresses of code: by their frames where these are
 * reliable, else by every word that lies on them, which can only find too many.
 */
import type { CodeRange, Stack } from "../../core/machine.ts";
import { nativeWords } from "../os/native.ts";
import { isIn } from "../stack/ranges.ts";

interface Stacks {
  readonly tasks: readonly number[];
  stack(task: number): Stack;
  stackMemory(task: number): Buffer | undefined;
}

const WORD = 8;

/** Asked in a stop of all threads; a thread that cannot be read may refer to anything. */
export class StackReferences {
  readonly #stacks: Stacks;

  constructor(stacks: Stacks) {
    this.#stacks = stacks;
  }

  /** Whether some task may come to an address in the range by what is on its stack; the instruction that it is at does not count. */
  mayRefer(range: CodeRange): boolean {
    return this.#stacks.tasks.some((task) => this.taskMayRefer(task, [range]));
  }

  taskMayRefer(task: number, ranges: readonly CodeRange[]): boolean {
    const stack = this.#stacks.stack(task);
    if (stack.kind === "reliable") return stack.frames.some(({ ip }, index) => index > 0 && isIn(ranges, ip));
    const memory = this.#stacks.stackMemory(task);
    return memory === undefined || hasWord(memory, ranges);
  }
}

function hasWord(memory: Buffer, ranges: readonly CodeRange[]): boolean {
  const words = nativeWords();
  for (let at = 0; at + WORD <= memory.length; at += WORD) if (isIn(ranges, words.size(memory, at))) return true;
  return false;
}
