import type { Fde } from "../../dwarf/entries.ts";
import type { RegisterRule, Row } from "../../dwarf/rows.ts";
import { nativeUnwind } from "../os/native.ts";

/** A rule in the form in which it is applied. */
export type OtherRule =
  | { readonly kind: "unknown"; readonly register: number }
  /** Saved at the callee's value of `base`, plus offset. */
  | { readonly kind: "at-register"; readonly register: number; readonly base: number; readonly offset: number }
  /** It is the callee's value of `base`, plus offset. */
  | { readonly kind: "register"; readonly register: number; readonly base: number; readonly offset: number }
  | { readonly kind: "cfa"; readonly register: number; readonly offset: number }
  | { readonly kind: "at-expression" | "expression"; readonly register: number; readonly expression: Buffer };

/** How to get from a frame to its caller's: one row of call-frame information, ready to be applied. */
export interface FrameRow {
  /** Why there is nothing to apply; then the rest says nothing. */
  readonly problem: string | undefined;
  /** -1: by `cfaExpression`. */
  readonly cfaRegister: number;
  readonly cfaOffset: number;
  /** Whether the CFA is loaded from register + offset, instead of being it. */
  readonly cfaLoaded: boolean;
  readonly cfaExpression: Buffer | undefined;
  /** `offset`: at CFA + returnOffset. `end`: this frame has no caller. `other`: by a rule of `others`. */
  readonly returns: "offset" | "end" | "other";
  readonly returnOffset: number;
  /** Pairs: a register, and the offset from the CFA where it is saved. */
  readonly saved: Int32Array;
  readonly others: readonly OtherRule[];
  /** Whether the frame pointer, and what is found by it, may have been restored already: see `framePointerIsGone`. */
  readonly isEndOfRealigned: boolean;
  /** Whether the frame is the kernel's for a signal: its caller was interrupted and did not call. */
  readonly isSignal: boolean;
}

const NOTHING = {
  problem: undefined,
  cfaRegister: -1,
  cfaOffset: 0,
  cfaLoaded: false,
  cfaExpression: undefined,
  returns: "offset",
  returnOffset: 0,
  saved: new Int32Array(),
  others: [],
  isEndOfRealigned: false,
  isSignal: false,
} as const satisfies FrameRow;

/** A row that says why there is none, as a part of a sentence. */
export function problemRow(problem: string): FrameRow {
  return { ...NOTHING, problem };
}

let asEntered: FrameRow | undefined;
let signal: FrameRow | undefined;

/** Of code that has not touched the stack: it is as the caller has left it. */
export function asEnteredRow(): FrameRow {
  asEntered ??= { ...NOTHING, cfaRegister: nativeUnwind().stackPointer, ...nativeUnwind().entry };
  return asEntered;
}

/** Of what returns from a signal: the kernel's frame lies on the top of the stack. */
export function signalRow(): FrameRow {
  signal ??= makeSignalRow();
  return signal;
}

function makeSignalRow(): FrameRow {
  const { stackPointer, signalFrame } = nativeUnwind();
  return {
    ...NOTHING,
    cfaRegister: stackPointer,
    cfaOffset: signalFrame[stackPointer] as number,
    cfaLoaded: true,
    returns: "other",
    others: signalFrame.map((offset, register) => ({ kind: "at-register", register, base: stackPointer, offset })),
    isSignal: true,
  };
}

const MOST_OFFSET = 0x7fff_ffff;

/** Compiles a row of this function. */
export function frameRow(fde: Fde, row: Row): FrameRow {
  const { columns, framePointer, returnAddress } = nativeUnwind();
  if (fde.cie.returnRegister !== returnAddress) return problemRow("its frame information is that of another machine");
  const saved: number[] = [];
  const others: OtherRule[] = [];
  let returns: FrameRow["returns"] | undefined;
  let returnOffset = 0;
  for (let register = 0; register < columns; register++) {
    const rule = row.registers[register];
    if (rule === undefined || rule.kind === "same") continue;
    if (rule.kind === "offset" && Math.abs(rule.offset) > MOST_OFFSET) return problemRow("its frame is too large");
    if (register === returnAddress && rule.kind === "undefined") returns = "end";
    else if (register === returnAddress && rule.kind === "offset") {
      returns = "offset";
      returnOffset = rule.offset;
    } else if (rule.kind === "offset") saved.push(register, rule.offset);
    else {
      if (register === returnAddress) returns = "other";
      others.push(otherRule(register, rule));
    }
  }
  if (returns === undefined) return problemRow("its frame information does not say where it returns to");
  const cfa = cfaOf(row);
  const isEndOfRealigned = cfa.cfaRegister !== framePointer && others.some(isFramePointerItself);
  const { isSignal } = fde.cie;
  return {
    ...{ ...NOTHING, ...cfa, returns, returnOffset, isEndOfRealigned },
    ...{ saved: Int32Array.from(saved), others, isSignal },
  };
}

/** As in the body of a function that realigns its stack by way of another register. */
function isFramePointerItself(rule: OtherRule): boolean {
  const { framePointer } = nativeUnwind();
  return (
    rule.kind === "at-register" && rule.register === framePointer && rule.base === framePointer && rule.offset === 0
  );
}

type CfaPart = Pick<FrameRow, "cfaRegister" | "cfaOffset" | "cfaLoaded" | "cfaExpression">;

function cfaOf({ cfa }: Row): CfaPart {
  const none = { cfaRegister: -1, cfaOffset: 0, cfaLoaded: false, cfaExpression: undefined };
  if (cfa.kind === "register") {
    return cfa.register < nativeUnwind().columns
      ? { ...none, cfaRegister: cfa.register, cfaOffset: cfa.offset }
      : { ...none, cfaExpression: Buffer.alloc(0) };
  }
  const simple = simpleExpression(cfa.expression);
  if (simple === undefined) return { ...none, cfaExpression: cfa.expression };
  return { ...none, cfaRegister: simple.base, cfaOffset: simple.offset, cfaLoaded: simple.loaded };
}

function otherRule(register: number, rule: Exclude<RegisterRule, { kind: "same" | "offset" }>): OtherRule {
  switch (rule.kind) {
    case "undefined":
      return { kind: "unknown", register };
    case "value-offset":
      return { kind: "cfa", register, offset: rule.offset };
    case "register":
      return rule.register < nativeUnwind().columns
        ? { kind: "register", register, base: rule.register, offset: 0 }
        : { kind: "unknown", register };
    case "expression": {
      const simple = simpleExpression(rule.expression);
      return simple !== undefined && !simple.loaded
        ? { kind: "at-register", register, base: simple.base, offset: simple.offset }
        : { kind: "at-expression", register, expression: rule.expression };
    }
    case "value-expression": {
      const simple = simpleExpression(rule.expression);
      if (simple === undefined) return { kind: "expression", register, expression: rule.expression };
      const kind = simple.loaded ? "at-register" : "register";
      return { kind, register, base: simple.base, offset: simple.offset };
    }
  }
}

/** DW_OP_breg, alone or with DW_OP_deref: nearly all expressions that compilers and libraries make. */
function simpleExpression(expression: Buffer): { base: number; offset: number; loaded: boolean } | undefined {
  const base = (expression[0] ?? 0) - 0x70;
  if (base < 0 || base >= nativeUnwind().columns) return undefined;
  let offset = 0;
  let at = 1;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = expression[at++];
    if (byte === undefined) return undefined;
    offset |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte & 0x40) offset -= 2 ** (shift + 7);
      const loaded = expression[at] === 0x06;
      return at + (loaded ? 1 : 0) === expression.length ? { base, offset, loaded } : undefined;
    }
  }
  return undefined;
}
