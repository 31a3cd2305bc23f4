/** Following addresses through the code of one machine: what each instruction does to what registers and the frame may hold. */
import type { PointerState, Value } from "./pointer-state.ts";

/** What a relocated field stands for. */
export type Field =
  /** The address of a source. */
  | { readonly kind: "address"; readonly sources: number }
  /** A slot that holds the address of a source, or of something that is none (0). */
  | { readonly kind: "slot"; readonly sources: number }
  /** Something that is no source. */
  | { readonly kind: "other" };

/**
 * What has to be known of the code around an instruction, and whom to tell where an
 * address goes. Sources are sets of bits.
 */
export interface Surroundings {
  /** Of the field at this offset of the code; undefined where it is not relocated. */
  field(offset: number): Field | undefined;
  /** The code itself, as a source: what an operand relative to itself leads to that is not relocated. */
  own(): number;
  /** Those of the sources whose contents may be addresses of sources; the others hold none. */
  holding(sources: number): number;
  /** A value is written into the sources themselves. */
  keeps(into: number, value: number): void;
  /** A value is written to memory that is neither the frame's nor a source's. */
  escapes(sources: number): void;
}

/** How code goes on behind an instruction. Fields are offsets in the code. */
export type Outcome =
  | { readonly kind: "next" }
  /** To `to` by a displacement whose field may be relocated. */
  | {
      readonly kind: "branch";
      readonly field: number;
      readonly to: number;
      readonly isCall: boolean;
      readonly isConditional: boolean;
    }
  | { readonly kind: "return" }
  /** It traps, or leaves in a way that gives nothing away. */
  | { readonly kind: "stop" }
  /** Through a pointer; `slot`: the field of the operand where it is a place that nothing is added to. */
  | { readonly kind: "indirect-call"; readonly slot: number | undefined }
  | { readonly kind: "indirect-jump"; readonly slot: number | undefined }
  /** Into the system, and on. */
  | { readonly kind: "system" }
  /** Something that is not followed. */
  | { readonly kind: "lost" };

/** An instruction, taken apart as only its machine knows. */
export interface Step {
  readonly at: number;
  readonly length: number;
}

/** A call of a function by a register that is part of the function's name. */
export interface Thunk {
  readonly register: number;
}

/**
 * Registers are numbers of the machine's own, from 0. What an instruction does that is
 * not known is `lost`, or the worst that it can do.
 */
export interface PointerFlow {
  /** Registers that are followed. */
  readonly registers: number;
  readonly stackPointer: number;
  /** Those that pass arguments, in their order, and those beside them that a callee may read (a variadic function's, a closure's). */
  readonly arguments: readonly number[];
  readonly alsoPassed: readonly number[];
  /** Those that a call may change. */
  readonly clobbered: readonly number[];
  /** Where a function returns its value, and the second half of a long one. */
  readonly results: readonly [number, number];
  /** Names of code that is called with a convention of its own and leaves registers as they are. */
  readonly preserving: RegExp;
  /** Names of code by which functions return. */
  readonly returning: RegExp;
  /** Names of code that calls or jumps to what a register holds. */
  thunk(name: string): Thunk | undefined;
  /** undefined where the bytes are no instruction. */
  decode(code: Buffer, at: number): Step | undefined;
  outcome(step: Step): Outcome;
  /** Whether it may be there to fill up, and is never come to. */
  isFiller(step: Step): boolean;
  /** Where an operand that is relative to itself lies in the code, and where it leads by its bytes; undefined where it has none. */
  relativeOperand(step: Step): { readonly field: number; readonly to: number } | undefined;
  /** Does an instruction with the outcome `next`. */
  step(step: Step, state: PointerState, around: Surroundings): void;
  /** What an indirect call or jump leads to. */
  loaded(step: Step, state: PointerState, around: Surroundings): Value;
}
