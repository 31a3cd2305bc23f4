/** Whether what a call leads to may have left its stack for another one: only below such a call does a suspended stack end. */
import type { TryRead } from "../../../arch/call-code.ts";
import { nativeCalls } from "../../os/native.ts";
import { linkedTo, pointerAt } from "../linkage.ts";

/** What is known of a process's code. */
export interface KnownCode {
  isCode(address: number): boolean;
  /** The function that an address lies in; undefined where nothing says so. */
  functionAt(address: number): { readonly start: number; readonly end: number } | undefined;
  /** Whether the stack is there as it was when the function was entered, so that a jump there may be the function's end. */
  isAsEntered(address: number): boolean;
}

/**
 * `leaves`: it sets the stack pointer to something else, or jumps to what does. `stays`: it does not. `unknown`:
 * it, or what it jumps to, has no call-frame information. `by-pointer`: it is not known what is called, or what that jumps to.
 */
export type Leaving = "leaves" | "stays" | "unknown" | "by-pointer";

/** A function that is longer is not read, and may do anything; bytes. */
const LONGEST = 1 << 16;
/** Functions that are followed from one, by jumps alone. */
const MOST_FOLLOWED = 64;

const SAYS_MORE: readonly Leaving[] = ["stays", "by-pointer", "unknown", "leaves"];

interface Step {
  readonly leaving: Leaving;
  readonly next: readonly number[];
}

const ANYWHERE: Step = { leaving: "by-pointer", next: [] };

/** Answers for one process, and remembers them: the same functions are asked about again and again. */
export class Callees {
  readonly #read: TryRead;
  readonly #code: KnownCode;
  readonly #known = new Map<number, Leaving>();

  constructor(read: TryRead, code: KnownCode) {
    this.#read = read;
    this.#code = code;
  }

  /** To be called when the process has run. */
  forget(): void {
    this.#known.clear();
  }

  leaving(entry: number): Leaving {
    const known = this.#known.get(entry) ?? this.#follow(entry);
    this.#known.set(entry, known);
    return known;
  }

  #follow(entry: number): Leaving {
    const seen = new Set<number>();
    const wanted = [entry];
    let worst: Leaving = "stays";
    for (let at = wanted.pop(); at !== undefined; at = wanted.pop()) {
      if (seen.has(at) || !this.#code.isCode(at)) continue;
      seen.add(at);
      const { leaving, next } = seen.size > MOST_FOLLOWED ? ANYWHERE : this.#step(at);
      if (SAYS_MORE.indexOf(leaving) > SAYS_MORE.indexOf(worst)) worst = leaving;
      if (worst === "leaves" || seen.size > MOST_FOLLOWED) return worst;
      wanted.push(...next);
    }
    return worst;
  }

  /** What the function at an address does itself, and where it may go on without a call. */
  #step(at: number): Step {
    const linked = linkedTo(at, this.#read);
    if (linked !== undefined) return { leaving: "stays", next: [linked] };
    const known = this.#code.functionAt(at);
    if (known === undefined) return { leaving: "unknown", next: [] };
    const size = known.end - known.start;
    const bytes = size > LONGEST ? undefined : this.#read(known.start, size);
    if (bytes === undefined) return ANYWHERE;
    const { mayLoad, leads, slots, jumps } = nativeCalls().stackFlow(bytes, known.start);
    const isAnywhere = jumps.some((jump) => this.#code.isAsEntered(jump));
    return {
      leaving: mayLoad ? "leaves" : isAnywhere ? "by-pointer" : "stays",
      next: [...leads, ...slots.flatMap((slot) => pointerAt(slot, this.#read) ?? [])],
    };
  }
}
