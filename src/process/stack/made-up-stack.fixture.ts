/** Code with its call-frame information, and a stack, made up byte by byte: no compiler and no process. */
import { nativeUnwind, nativeWords } from "../os/native.ts";
import type { TargetMemory } from "./target-memory.ts";

const WORD = 8;

/** Instructions of call-frame information: DWARF 5, section 7.24. */
export const CFA = {
  advance: (by: number): number[] => [0x40 | by],
  define: (register: number, offset: number): number[] => [0x0c, register, offset],
  offset: (offset: number): number[] => [0x0e, offset],
  register: (register: number): number[] => [0x0d, register],
  /** Saved so many words below the CFA. */
  saved: (register: number, words: number): number[] => [0x80 | register, words],
  unknown: (register: number): number[] => [0x07, register],
};

export interface MadeUpFunction {
  readonly start: number;
  readonly end: number;
  readonly rules: readonly number[];
}

/** An .eh_frame that describes functions whose return address is on the top of the stack at first. */
export function ehFrame(functions: readonly MadeUpFunction[]): Buffer {
  const { stackPointer, returnAddress, entry } = nativeUnwind();
  const initial = [
    ...CFA.define(stackPointer, entry.cfaOffset),
    ...CFA.saved(returnAddress, -entry.returnOffset / WORD),
  ];
  // Version 1, augmentation "zR" with absolute pointers, code alignment 1, data alignment -8.
  const cie = record([...word32(0), 1, ...Buffer.from("zR\0"), 1, 0x78, returnAddress, 1, 0, ...initial]);
  const records = [cie];
  for (const { start, end, rules } of functions) {
    const at = records.reduce((sum, { length }) => sum + length, 0);
    records.push(record([...word32(at + 4), ...word64(start), ...word64(end - start), 0, ...rules]));
  }
  return Buffer.concat([...records, Buffer.from(word32(0))]);
}

/** With nops behind it, as long as records have to be. */
function record(body: readonly number[]): Buffer {
  const size = Math.ceil((body.length + 4) / WORD) * WORD - 4;
  return Buffer.from([...word32(size), ...body, ...new Array(size - body.length).fill(0)]);
}

function word32(value: number): number[] {
  const bytes = Buffer.alloc(4);
  nativeWords().setU32(bytes, 0, value);
  return [...bytes];
}

function word64(value: number): number[] {
  const bytes = Buffer.alloc(WORD);
  nativeWords().setSize(bytes, 0, value);
  return [...bytes];
}

/** Memory that is there in pieces. */
export class MadeUpMemory implements TargetMemory {
  readonly #pieces: { readonly start: number; readonly bytes: Buffer }[] = [];

  add(start: number, bytes: Buffer): void {
    this.#pieces.push({ start, bytes });
  }

  /** Writes words at an address that is there. */
  write(address: number, ...words: readonly number[]): void {
    for (const [index, value] of words.entries()) {
      const piece = this.#at(address + index * WORD, WORD);
      if (piece === undefined) throw new Error(`there is no memory at 0x${address.toString(16)}`);
      nativeWords().setSize(piece.bytes, address + index * WORD - piece.start, value);
    }
  }

  read(address: number, length: number): Buffer | undefined {
    const piece = this.#at(address, length);
    return piece && Buffer.from(piece.bytes.subarray(address - piece.start, address - piece.start + length));
  }

  #at(address: number, length: number) {
    return this.#pieces.find(({ start, bytes }) => start <= address && address + length <= start + bytes.length);
  }
}
