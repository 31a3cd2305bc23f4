/** What a process may come to on stacks that are no thread's: asked while it runs and in stops, and remembered for the time of a command. */
import type { CodeRange } from "../../../core/machine.ts";
import { describePlace, type SuspendedStacks } from "./suspended-stacks.ts";

/** Code that was found clear stays so for one command: what starts afterwards is not seen. */
export class StrayStacks {
  readonly #stacks: SuspendedStacks;
  /** Helps on, between two pieces of memory, the threads that need it. */
  readonly #attend: () => void;
  #exist = false;
  /** Code for which it was found that there are none, and none that will come to it. */
  readonly #clear = new Set<string>();
  /** Whether all threads stand still. */
  isStopped = false;

  constructor(stacks: SuspendedStacks, attend: () => void) {
    this.#stacks = stacks;
    this.#attend = attend;
  }

  /**
   * Whether there are any, or one that will come to this code. Not to be asked in a stop for the
   * first time: it looks through all memory.
   */
  exist(ranges: readonly CodeRange[]): boolean {
    const key = ranges.map(({ start, end }) => `${start}-${end}`).join();
    if (this.#exist || this.#clear.has(key)) return this.#exist;
    this.#exist = this.#stacks.exist(ranges, this.#attend);
    if (!this.#exist) this.#clear.add(key);
    return this.#exist;
  }

  /**
   * Of a thread without reliable frames: whether all is known that it may come to by what is on its own
   * stack. Where it runs on another one that is so in a stop of all, in which all memory is looked through as well.
   */
  canTell(isOnOther: boolean): boolean {
    if (!isOnOther) return true;
    const isLookedFor = this.isStopped && this.#exist;
    this.#exist = true;
    return isLookedFor;
  }

  /** @param words `any`: where there are such stacks at all every return address counts, be it left there by a call that has ended */
  in(
    ranges: readonly CodeRange[],
    words: "frames" | "any" = "frames",
  ): { readonly address: number; readonly where: string } | undefined {
    const others = this.#exist ? (words === "any" ? "any" : "some") : "none";
    const stray = this.#stacks.returningTo(ranges, others, this.isStopped ? undefined : this.#attend);
    return stray && { address: stray.address, where: describePlace(stray) };
  }
}
