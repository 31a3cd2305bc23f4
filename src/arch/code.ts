/** Instructions of one machine, as far as live patching has to read them. Offsets are within the code that is given. */

/** An instruction's measures, and nothing of what it does. */
export interface Instruction {
  /** Bytes. */
  readonly length: number;
  /** Where in it the field lies by which it names a place relative to itself; undefined where it has none. */
  readonly field: number | undefined;
  /** A branch or call by a relative displacement: the size of that field in bytes; 0 for any other instruction. */
  readonly branch: 0 | 1 | 2 | 4;
}

/** Whether an instruction does with a relocated field what is asked. @param at where the instruction starts */
export type FieldTest = (code: Buffer, at: number, field: number) => boolean;

/**
 * Reading a machine's instructions. What it cannot read is undefined or false, and then
 * counts as whatever is refused sooner.
 */
export interface Code {
  /** undefined where the bytes are no instruction, or end before it does. */
  decode(code: Uint8Array, at: number, limit?: number): Instruction | undefined;
  /** Where the field of the instruction at `at` leads, by its bytes. */
  leadsTo(code: Buffer, at: number, instruction: Instruction): number;
  /** What lies between an instruction's relative field and the place that it counts from, by the instruction's bytes. */
  reach(instruction: Instruction): number;
  /** The same of a relocated field in code, by its type alone, as it is in nearly all instructions. */
  usualReach(type: number): number;
  /** Whether the instruction has to be read to know that, since something may follow the field. @param field that is relocated */
  mayHaveMore(code: Buffer, field: number): boolean;
  /** By their looks alone: operands of instructions that take an address relative to themselves, and where each leads. */
  addressFields(code: Buffer): Iterable<{ readonly field: number; readonly to: number }>;
  /** A call or a jump, as against an address that is taken. @param field that is relocated */
  isBranchField(code: Buffer, field: number, type: number): boolean;
  /** Of a branch: whether it is a call, which leaves a return address. @param field that is relocated */
  isCallField(code: Buffer, field: number): boolean;
  /** Whether the field is the place of an operand that is only read; false for any other, whose address may go anywhere. */
  readonly readsAt: FieldTest;
  /** As `readsAt`, where nothing is written there either. */
  readonly loadsAt: FieldTest;
  /** A constant that an instruction sets an argument of a function to; undefined for any other instruction. */
  loadedArgument(code: Buffer, at: number, length: number): LoadedArgument | undefined;
  /** Whether an instruction sets a whole register, or what is popped into one, to -1; only forms that compilers make. */
  setsAllOnes(code: Buffer, at: number, length: number): boolean;
  /** A byte that fills what lies between functions, and traps. */
  readonly filler: number;
  /** What objdump calls it (`-m`). */
  readonly disassembler: string;
}

/** An instruction that sets an argument of a function to a constant of its own. */
export interface LoadedArgument {
  /** Which, from 0. */
  readonly argument: number;
  /** The constant lies there, to the instruction's end. */
  readonly field: number;
}
