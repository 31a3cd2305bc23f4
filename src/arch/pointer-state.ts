/**
 * What registers and the stack frame may hold at a place in the code, as far as
 * it matters for where addresses go: which sources an address comes from, and
 * whether it is one of the own stack frame.
 */

/** What a register or a word of the frame may hold, as the worst of all ways that lead there. */
export interface Value {
  /** One bit a source that it may be the address of, or made from. */
  readonly sources: number;
  /** Whether it can be nothing else than an address within the sources. */
  readonly isExact: boolean;
  /** From the stack pointer at the entry, where it is an address of the frame; `some` where it may be any of it. */
  readonly frame: number | "some" | undefined;
}

/** Nothing that matters: no source's address, and none of the frame. */
export const CLEAN: Value = { sources: 0, isExact: false, frame: undefined };
const SOME_FRAME: Value = { sources: 0, isExact: false, frame: "some" };

/** The address of one of these sources, or of none where the set is empty. */
export function addressOf(sources: number): Value {
  return sources === 0 ? CLEAN : { sources, isExact: true, frame: undefined };
}

/** An address of the own frame, in bytes from the stack pointer at the entry. */
export function frameAddress(frame: number | "some"): Value {
  return { sources: 0, isExact: false, frame };
}

/** Made from these by a computation that nothing is known of. */
export function madeFrom(...values: readonly Value[]): Value {
  let sources = 0;
  let isOfFrame = false;
  for (const value of values) {
    sources |= value.sources;
    isOfFrame ||= value.frame !== undefined;
  }
  if (sources === 0) return isOfFrame ? SOME_FRAME : CLEAN;
  return { sources, isExact: false, frame: isOfFrame ? "some" : undefined };
}

/** Either of the two. */
export function joined(a: Value, b: Value): Value {
  if (a === b) return a;
  const frame = a.frame === b.frame ? a.frame : "some";
  const sources = a.sources | b.sources;
  const isExact = a.isExact && b.isExact;
  if (a.sources === sources && a.isExact === isExact && a.frame === frame) return a;
  return sources === 0 && frame === undefined ? CLEAN : { sources, isExact, frame };
}

const WORD = 8;

/**
 * What is known at one place. States of several ways are merged until nothing changes;
 * they only grow, so that ends.
 */
export class PointerState {
  readonly registers: Value[];
  /** Of all vector registers together. */
  vector = 0;
  /** Words of the frame that hold anything that matters, by their offset. */
  readonly slots: Map<number, Value>;
  /** Slots that were pushed, by their offset: the arguments of the next call, which has them for its own. */
  readonly pushed: Set<number>;
  /** What was written to the frame, it is not known where. */
  anywhere: Value = CLEAN;
  /** Whether something outside the function may know an address of the frame. */
  isExposed = false;

  constructor(
    registers: readonly Value[],
    slots: Iterable<readonly [number, Value]> = [],
    pushed: Iterable<number> = [],
  ) {
    this.registers = [...registers];
    this.slots = new Map(slots);
    this.pushed = new Set(pushed);
  }

  /** As a function begins. @param registers how many are followed */
  static atEntry({ registers, stackPointer }: { registers: number; stackPointer: number }): PointerState {
    const state = new PointerState(new Array<Value>(registers).fill(CLEAN));
    state.registers[stackPointer] = frameAddress(0);
    return state;
  }

  copy(): PointerState {
    const state = new PointerState(this.registers, this.slots, this.pushed);
    state.vector = this.vector;
    state.anywhere = this.anywhere;
    state.isExposed = this.isExposed;
    return state;
  }

  /** Takes in another state; @returns whether this one has changed. */
  merge(other: PointerState): boolean {
    let hasChanged = false;
    for (let i = 0; i < this.registers.length; i++) {
      const before = this.registers[i] as Value;
      const after = joined(before, other.registers[i] as Value);
      if (after === before) continue;
      this.registers[i] = after;
      hasChanged = true;
    }
    for (const [offset, value] of other.slots) {
      const before = this.slots.get(offset) ?? CLEAN;
      const after = joined(before, value);
      if (isSame(before, after)) continue;
      this.slots.set(offset, after);
      hasChanged = true;
    }
    for (const [offset, value] of this.slots) {
      if (other.slots.has(offset)) continue;
      const after = joined(value, CLEAN);
      if (isSame(value, after)) continue;
      this.slots.set(offset, after);
      hasChanged = true;
    }
    for (const offset of this.pushed) {
      if (other.pushed.has(offset)) continue;
      this.pushed.delete(offset);
      hasChanged = true;
    }
    const anywhere = joined(this.anywhere, other.anywhere);
    const vector = this.vector | other.vector;
    const isExposed = this.isExposed || other.isExposed;
    if (!isSame(anywhere, this.anywhere) || vector !== this.vector || isExposed !== this.isExposed) hasChanged = true;
    this.anywhere = anywhere;
    this.vector = vector;
    this.isExposed = isExposed;
    return hasChanged;
  }

  /** What lies in the frame at an offset, or anywhere in it. */
  load(frame: number | "some", size: number): Value {
    let value = this.anywhere;
    for (const [offset, held] of this.slots) {
      if (frame === "some") value = madeFrom(value, held);
      else if (offset === frame && size === WORD) value = this.anywhere === CLEAN ? held : madeFrom(value, held);
      else if (offset < frame + size && offset + WORD > frame) value = madeFrom(value, held);
    }
    return value;
  }

  push(frame: number | "some", value: Value): void {
    this.store(frame, WORD, value);
    if (frame !== "some") this.pushed.add(frame);
  }

  /** After a call. */
  forgetPushed(): void {
    for (const offset of this.pushed) this.slots.delete(offset);
    this.pushed.clear();
  }

  store(frame: number | "some", size: number, value: Value): void {
    if (frame !== "some") this.pushed.delete(frame);
    const matters = value.sources !== 0 || value.frame !== undefined;
    if (frame === "some") {
      if (matters) this.anywhere = madeFrom(this.anywhere, value);
    } else if (size === WORD) {
      if (matters) this.slots.set(frame, value);
      else this.slots.delete(frame);
    } else if (matters) {
      for (let at = frame; at < frame + size; at += WORD)
        this.slots.set(at, madeFrom(this.slots.get(at) ?? CLEAN, value));
    }
  }

  /** The sources of all that the frame holds from an offset on. */
  heldFrom(frame: number | "some" | undefined): number {
    let { sources } = this.anywhere;
    for (const [offset, value] of this.slots)
      if (typeof frame !== "number" || offset + WORD > frame) sources |= value.sources;
    return sources;
  }
}

function isSame(a: Value, b: Value): boolean {
  return a === b || (a.sources === b.sources && a.isExact === b.isExact && a.frame === b.frame);
}
