/** The operands of one instruction over a `PointerState`: reading and writing registers, the frame, and memory. */
import type { Surroundings } from "../pointer-flow.ts";
import { addressOf, CLEAN, frameAddress, madeFrom, type PointerState, type Value } from "../pointer-state.ts";
import { GPR, type MemoryOperand, type Parts } from "./instruction-parts.ts";

const { rsp } = GPR;
const WORD = 8;
/** The least bytes of memory that an address is read from at once. */
const LEAST = 8;

/** Reads and writes change the state as the instruction would; made anew for each instruction. */
export class Operands {
  readonly #parts: Parts;
  readonly #state: PointerState;
  readonly #around: Surroundings;

  constructor(parts: Parts, state: PointerState, around: Surroundings) {
    this.#parts = parts;
    this.#state = state;
    this.#around = around;
  }

  /** What the ModRM operand holds. @param size bytes */
  read(size: number): Value {
    const { rm, memory } = this.#parts;
    if (rm !== undefined) return this.get(rm);
    if (memory === undefined) return CLEAN;
    const field = memory.field === undefined ? undefined : this.#around.field(memory.field);
    if (field?.kind === "slot") return field.sources === 0 ? CLEAN : addressOf(field.sources);
    return this.loadFrom(this.addressOf(memory), size);
  }

  /** Writes the ModRM operand. */
  write(size: number, value: Value): void {
    const { rm, memory } = this.#parts;
    if (rm !== undefined) {
      if (size >= 4) this.set(rm, value);
      else if (value.sources !== 0) this.set(rm, madeFrom(this.get(rm), value));
    } else if (memory !== undefined) {
      if (memory.isOfSegment) this.leave(value);
      else this.storeTo(this.addressOf(memory), size, value);
    }
  }

  get(register: number): Value {
    return this.#state.registers[register & 15] as Value;
  }

  set(register: number, value: Value, width = WORD): void {
    if (width === 2) this.#state.registers[register & 15] = madeFrom(this.get(register), value);
    else this.#state.registers[register & 15] = value;
  }

  /** An immediate, which is an address where it is relocated. */
  constant(): Value {
    const field = this.#around.field(this.#parts.immediate);
    return field?.kind === "address" ? addressOf(field.sources) : CLEAN;
  }

  addressOf({ base, index, displacement, isRipRelative, isOfSegment, field }: MemoryOperand): Value {
    const meaning = field === undefined ? undefined : this.#around.field(field);
    const own = meaning?.kind === "address" ? addressOf(meaning.sources) : CLEAN;
    if (isRipRelative) return meaning === undefined ? addressOf(this.#around.own()) : own;
    const from = base === undefined ? CLEAN : this.get(base);
    const by = index === undefined ? CLEAN : this.get(index);
    if (isOfSegment) return madeFrom(own, from, by);
    if (own !== CLEAN) return from.sources === 0 && by.sources === 0 ? own : madeFrom(own, from, by);
    // What is added to an address of a thing leads to a place in the same thing.
    if (from.isExact && by.sources === 0 && by.frame === undefined) return from;
    if (by.isExact && from.sources === 0 && from.frame === undefined) return by;
    if (typeof from.frame === "number" && from.sources === 0)
      return frameAddress(
        by === CLEAN && index === undefined && displacement !== undefined ? from.frame + displacement : "some",
      );
    return madeFrom(from, by);
  }

  loadFrom(address: Value, size: number): Value {
    const { sources, frame } = address;
    const fromFrame = frame === undefined ? CLEAN : this.#state.load(frame, size);
    if (sources === 0 || size < LEAST) return frame === undefined ? CLEAN : fromFrame;
    const held = this.#around.holding(sources);
    return held === 0 ? fromFrame : madeFrom(addressOf(held), fromFrame);
  }

  storeTo(address: Value, size: number, value: Value): void {
    const { sources, frame, isExact } = address;
    if (frame !== undefined) {
      this.#state.store(frame, size, value);
      if (value.sources !== 0 && (this.#state.isExposed || sources !== 0)) this.#around.escapes(value.sources);
      return;
    }
    if (size < 4) return;
    if (isExact) {
      if (value.frame !== undefined) this.expose();
      if (value.sources !== 0) this.#around.keeps(sources, value.sources);
    } else this.leave(value);
  }

  /** To where nobody knows who reads it. */
  leave({ sources, frame }: Value): void {
    if (frame !== undefined) this.expose();
    if (sources !== 0) this.#around.escapes(sources);
  }

  /** An address of the frame is where others may find it, and with it what the frame holds. */
  expose(): void {
    this.#state.isExposed = true;
    const held = this.#state.heldFrom(this.get(rsp).frame);
    if (held !== 0) this.#around.escapes(held);
  }

  push(value: Value): void {
    this.#moveStack(-WORD);
    const { frame } = this.get(rsp);
    this.#state.push(frame ?? "some", value);
    if (value.sources !== 0 && this.#state.isExposed) this.#around.escapes(value.sources);
  }

  pop(): Value {
    const value = this.#state.load(this.get(rsp).frame ?? "some", WORD);
    this.#moveStack(WORD);
    return value;
  }

  #moveStack(by: number): void {
    const { frame } = this.get(rsp);
    this.set(rsp, frameAddress(typeof frame === "number" ? frame + by : "some"));
  }
}
