/**
 * The instructions that a hook overwrites, and the trampoline that stands for
 * them: the same instructions at another place, then a jump back.
 *
 * Nothing may reach the overwritten bytes but through the first of them. Direct
 * branches of the whole function are looked at for that. Jump tables and labels as
 * values are data and are not: compilers dispatch by instructions that come first.
 */
import type { Displacement, FunctionCode, NoDisplacement, Trampoline } from "../hook-abi.ts";
import { ENDBR64, HOOK_LENGTH, jumpCode } from "./hook-jump.ts";
import { branchTarget, movedSize, moveInstruction, RETURN_WORD_SIZE } from "./hook-move.ts";
import { readOpcode, staysPut } from "./hook-opcode.ts";
import { isPadding } from "./hook-padding.ts";
import { decodeInstruction, type Instruction } from "./instruction.ts";

const PAGE = 4096;

/** What a hook at this function's entry would overwrite, or why there can be none. */
export function displace(code: FunctionCode): Displacement | NoDisplacement {
  const body = code.pieces.find(({ start }) => start === code.entry);
  if (body === undefined) return none("ENTRY_NOT_DISPLACEABLE", "its entry is not at the start of its code");
  const bytes = Buffer.from(body.bytes);
  const skipped = bytes.subarray(0, ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0;
  const hookAt = code.entry + skipped;
  if (Math.floor(hookAt / PAGE) !== Math.floor((hookAt + HOOK_LENGTH - 1) / PAGE))
    return none("ENTRY_ACROSS_PAGES", "the bytes of a hook would lie on two pages and cannot be written as one");
  const head = displacedHead(code, bytes, skipped);
  if (head.kind === "none") return head;
  const branch = branchInto(code, hookAt + 1, hookAt + HOOK_LENGTH);
  return branch ?? { ...head, hookAt };
}

function displacedHead(
  code: FunctionCode,
  bytes: Buffer,
  skipped: number,
): Omit<Displacement, "hookAt"> | NoDisplacement {
  const instructions: number[] = [];
  let at = skipped;
  let fallsThrough = true;
  while (at - skipped < HOOK_LENGTH && at < bytes.length) {
    const instruction = decodeInstruction(bytes, at);
    if (instruction === undefined)
      return none("ENTRY_NOT_DISPLACEABLE", `the bytes at +0x${at.toString(16)} are no instruction`);
    const why = staysPut(bytes, at, instruction);
    if (why !== undefined) return none("ENTRY_NOT_DISPLACEABLE", `the instruction at +0x${at.toString(16)} ${why}`);
    instructions.push(at - skipped);
    fallsThrough = readOpcode(bytes, at).goesOn;
    if (isCall(bytes, at)) {
      const cannot = whyNoCall(code, at + instruction.length - skipped);
      if (cannot !== undefined)
        return none("ENTRY_NOT_DISPLACEABLE", `the instruction at +0x${at.toString(16)} ${cannot}`);
      fallsThrough = false;
    }
    at += instruction.length;
  }
  const missing = HOOK_LENGTH - (at - skipped);
  if (missing <= 0) return { kind: "displacement", bytes: bytes.subarray(skipped, at), instructions, fallsThrough };
  if (fallsThrough) return none("FUNCTION_TOO_SHORT", "it ends before a hook does, and runs on into what follows");
  if (code.padding.length < missing || !isPadding(code.padding, missing))
    return none(
      "FUNCTION_TOO_SHORT",
      `it has ${bytes.length - skipped} bytes, a hook takes ${HOOK_LENGTH}, and what follows is not proved to be padding`,
    );
  const whole = Buffer.concat([bytes.subarray(skipped), code.padding.subarray(0, missing)]);
  return { kind: "displacement", bytes: whole, instructions, fallsThrough };
}

function isCall(bytes: Buffer, at: number): boolean {
  const { kind } = readOpcode(bytes, at);
  return kind === "call" || kind === "indirect-call";
}

/** @param end of the call, from the hook's place on */
function whyNoCall({ hasShadowStack }: FunctionCode, end: number): string | undefined {
  if (hasShadowStack === true)
    return "is a call, and the process has a shadow stack, on which only a call puts a return address";
  if (end < HOOK_LENGTH) return "is a call that would return into the bytes that a hook overwrites";
  return undefined;
}

/** A direct branch of the function to an address in [start, end). */
function branchInto(code: FunctionCode, start: number, end: number): NoDisplacement | undefined {
  for (const piece of code.pieces) {
    const bytes = Buffer.from(piece.bytes.buffer, piece.bytes.byteOffset, piece.bytes.length);
    for (let at = 0; at < bytes.length; ) {
      const instruction = decodeInstruction(bytes, at);
      const where = `0x${(piece.start + at - code.entry).toString(16)}`;
      if (instruction === undefined) {
        if (isPadding(bytes.subarray(at), bytes.length - at)) break;
        return none("ENTRY_NOT_DISPLACEABLE", `its code has bytes at ${where} that are no instruction`);
      }
      at += instruction.length;
      const target = branchTarget(bytes, at, piece.start, instruction);
      if (target !== undefined && target >= start && target < end)
        return none("ENTRY_NOT_DISPLACEABLE", `a branch at +${where} goes into the bytes that a hook overwrites`);
    }
  }
  return undefined;
}

/** Largest size of the trampoline. */
export function trampolineSize({ bytes, instructions }: Displacement): number {
  const sizes = instructions.map((at) => movedSize(bytes, at, decodeInstruction(bytes, at) as Instruction));
  return sizes.reduce((sum, size) => sum + size, HOOK_LENGTH + RETURN_WORD_SIZE);
}

/** The displaced instructions as they lie at `start`. Throws RangeError where an operand is out of reach from there. */
export function trampolineCode(displacement: Displacement, start: number): Trampoline {
  const { bytes, hookAt, instructions } = displacement;
  const parts: Buffer[] = [];
  const origins: { offset: number; original: number }[] = [];
  const back = hookAt + bytes.length;
  const word = start + trampolineSize(displacement) - RETURN_WORD_SIZE;
  let pushed: Trampoline["pushed"];
  let offset = 0;
  for (const at of instructions) {
    const instruction = decodeInstruction(bytes, at) as Instruction;
    const moved = moveInstruction(bytes, at, instruction, { from: hookAt, to: start + offset, returnWord: word });
    origins.push({ offset, original: hookAt + at });
    if (moved.pushedAt !== undefined) pushed = { offset: offset + moved.pushedAt, original: hookAt + at };
    parts.push(moved.bytes);
    offset += moved.bytes.length;
  }
  if (displacement.fallsThrough) {
    origins.push({ offset, original: back });
    parts.push(jumpCode(start + offset, back));
    offset += HOOK_LENGTH;
  }
  if (pushed !== undefined) {
    const returns = Buffer.alloc(word - start - offset + RETURN_WORD_SIZE, 0xcc);
    returns.writeBigUInt64LE(BigInt(back), returns.length - RETURN_WORD_SIZE);
    parts.push(returns);
  }
  return { start, bytes: Buffer.concat(parts), origins, pushed };
}

function none(code: NoDisplacement["code"], why: string): NoDisplacement {
  return { kind: "none", code, why };
}
