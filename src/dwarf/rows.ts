import { Cursor } from "./cursor.ts";
import type { Cie, Extent, Fde } from "./entries.ts";
import { corrupt, unsupported } from "./fault.ts";
import { PE, readPointer } from "./pointer.ts";

/** How the canonical frame address is found. */
export type CfaRule =
  | { readonly kind: "register"; readonly register: number; readonly offset: number }
  | { readonly kind: "expression"; readonly expression: Buffer };

/** How the caller's value of a register is found; no rule at all: as the ABI says, for most registers as it is. */
export type RegisterRule =
  /** It cannot be had. For the return address: there is no caller. */
  | { readonly kind: "undefined" }
  | { readonly kind: "same" }
  /** Saved at CFA + offset. */
  | { readonly kind: "offset"; readonly offset: number }
  /** It is CFA + offset. */
  | { readonly kind: "value-offset"; readonly offset: number }
  | { readonly kind: "register"; readonly register: number }
  /** Saved at what the expression gives, which starts with the CFA on its stack. */
  | { readonly kind: "expression"; readonly expression: Buffer }
  | { readonly kind: "value-expression"; readonly expression: Buffer };

/** What holds from this address to the next row's. */
export interface Row {
  readonly start: number;
  readonly cfa: CfaRule;
  /** By DWARF number. */
  readonly registers: readonly (RegisterRule | undefined)[];
}

/** Deeper nesting of remembered states than any compiler's. */
const MOST_REMEMBERED = 64;

interface State {
  cfa: CfaRule | undefined;
  registers: (RegisterRule | undefined)[];
}

interface Run {
  readonly cie: Cie;
  readonly fde: Fde;
  readonly cursor: Cursor;
  /** Columns that are kept; of others nothing is known. */
  readonly columns: number;
  readonly initial: readonly (RegisterRule | undefined)[];
  state: State;
  readonly remembered: State[];
  location: number;
  readonly rows: Row[];
}

/**
 * The rows of a function, in the order of its addresses (DWARF 5, 6.4.1). Only
 * the first `columns` registers are kept. Throws DWARF_CORRUPT or DWARF_UNSUPPORTED.
 */
export function rowsOf(fde: Fde, columns: number): Row[] {
  const first: State = { cfa: undefined, registers: new Array<undefined>(columns).fill(undefined) };
  const initial = execute(fde, fde.cie.instructions, { columns, initial: [], state: first });
  if (initial.rows.length > 0) throw corrupt(fde.section.name, fde.offset, "a CIE that moves on");
  const run = execute(fde, fde.instructions, { columns, initial: initial.state.registers, state: initial.state });
  endRow(run);
  return run.rows;
}

/** The row for an address, which the function covers. */
export function rowAt(rows: readonly Row[], address: number): Row | undefined {
  let found: Row | undefined;
  for (const row of rows) {
    if (row.start > address) break;
    found = row;
  }
  return found;
}

function execute(
  fde: Fde,
  extent: Extent,
  { columns, initial, state }: Pick<Run, "columns" | "initial" | "state">,
): Run {
  const cursor = new Cursor(fde.section, extent.start, extent.end);
  const run: Run = {
    cie: fde.cie,
    fde,
    cursor,
    columns,
    initial,
    state: { cfa: state.cfa, registers: [...state.registers] },
    remembered: [],
    location: fde.start,
    rows: [],
  };
  while (!cursor.done) step(run);
  return run;
}

function endRow(run: Run): void {
  const { cfa, registers } = run.state;
  if (cfa === undefined) throw corrupt(run.fde.section.name, run.cursor.at, "code without a frame address");
  const last = run.rows.at(-1);
  if (last?.start === run.location) run.rows.pop();
  run.rows.push({ start: run.location, cfa, registers: [...registers] });
}

function advance(run: Run, location: number): void {
  if (location < run.location) throw corrupt(run.fde.section.name, run.cursor.at, "rows that go back");
  if (location === run.location) return;
  endRow(run);
  run.location = location;
}

function step(run: Run): void {
  const { cursor, cie } = run;
  const at = cursor.at;
  const opcode = cursor.u8();
  const low = opcode & 0x3f;
  switch (opcode & 0xc0) {
    case 0x40: // DW_CFA_advance_loc
      advance(run, run.location + low * cie.codeAlignment);
      return;
    case 0x80: // DW_CFA_offset
      set(run, low, { kind: "offset", offset: cursor.unsigned() * cie.dataAlignment });
      return;
    case 0xc0: // DW_CFA_restore
      restore(run, low);
      return;
    default:
      extended(run, opcode, at);
      return;
  }
}

function extended(run: Run, opcode: number, at: number): void {
  const { cursor, cie } = run;
  switch (opcode) {
    case 0x00: // DW_CFA_nop
      return;
    case 0x01: // DW_CFA_set_loc
      advance(run, setLocation(run));
      return;
    case 0x02: // DW_CFA_advance_loc1
      advance(run, run.location + cursor.u8() * cie.codeAlignment);
      return;
    case 0x03: // DW_CFA_advance_loc2
      advance(run, run.location + cursor.u16() * cie.codeAlignment);
      return;
    case 0x04: // DW_CFA_advance_loc4
      advance(run, run.location + cursor.u32() * cie.codeAlignment);
      return;
    case 0x05: // DW_CFA_offset_extended
      set(run, cursor.unsigned(), { kind: "offset", offset: cursor.unsigned() * cie.dataAlignment });
      return;
    case 0x06: // DW_CFA_restore_extended
      restore(run, cursor.unsigned());
      return;
    case 0x07: // DW_CFA_undefined
      set(run, cursor.unsigned(), { kind: "undefined" });
      return;
    case 0x08: // DW_CFA_same_value
      set(run, cursor.unsigned(), { kind: "same" });
      return;
    case 0x09: // DW_CFA_register
      set(run, cursor.unsigned(), { kind: "register", register: cursor.unsigned() });
      return;
    case 0x0a: // DW_CFA_remember_state
      if (run.remembered.length === MOST_REMEMBERED) {
        throw corrupt(run.fde.section.name, at, `more than ${MOST_REMEMBERED} remembered states`);
      }
      run.remembered.push({ cfa: run.state.cfa, registers: [...run.state.registers] });
      return;
    case 0x0b: // DW_CFA_restore_state
      run.state = run.remembered.pop() ?? fail(run, at, "a state is restored that was not remembered");
      return;
    case 0x0c: // DW_CFA_def_cfa
      setCfa(run, cursor.unsigned(), cursor.unsigned());
      return;
    case 0x0d: // DW_CFA_def_cfa_register
      setCfa(run, cursor.unsigned(), registerCfa(run, at).offset);
      return;
    case 0x0e: // DW_CFA_def_cfa_offset
      setCfa(run, registerCfa(run, at).register, cursor.unsigned());
      return;
    case 0x0f: // DW_CFA_def_cfa_expression
      run.state.cfa = { kind: "expression", expression: block(cursor) };
      return;
    case 0x10: // DW_CFA_expression
      set(run, cursor.unsigned(), { kind: "expression", expression: block(cursor) });
      return;
    case 0x11: // DW_CFA_offset_extended_sf
      set(run, cursor.unsigned(), { kind: "offset", offset: cursor.signed() * cie.dataAlignment });
      return;
    case 0x12: // DW_CFA_def_cfa_sf
      setCfa(run, cursor.unsigned(), cursor.signed() * cie.dataAlignment);
      return;
    case 0x13: // DW_CFA_def_cfa_offset_sf
      setCfa(run, registerCfa(run, at).register, cursor.signed() * cie.dataAlignment);
      return;
    case 0x14: // DW_CFA_val_offset
      set(run, cursor.unsigned(), { kind: "value-offset", offset: cursor.unsigned() * cie.dataAlignment });
      return;
    case 0x15: // DW_CFA_val_offset_sf
      set(run, cursor.unsigned(), { kind: "value-offset", offset: cursor.signed() * cie.dataAlignment });
      return;
    case 0x16: // DW_CFA_val_expression
      set(run, cursor.unsigned(), { kind: "value-expression", expression: block(cursor) });
      return;
    case 0x2e: // DW_CFA_GNU_args_size: for landing pads only
      cursor.unsigned();
      return;
    case 0x2f: // DW_CFA_GNU_negative_offset_extended
      set(run, cursor.unsigned(), { kind: "offset", offset: -cursor.unsigned() * cie.dataAlignment });
      return;
    default:
      throw unsupported(run.fde.section.name, at, `the instruction 0x${opcode.toString(16)}`);
  }
}

function setLocation(run: Run): number {
  const { cursor, cie, fde } = run;
  const pointer = readPointer(cursor, cie.pointerEncoding === PE.OMIT ? PE.ABSPTR : cie.pointerEncoding, {});
  return pointer?.address ?? fail(run, fde.offset, "a location that is nowhere");
}

function set(run: Run, register: number, rule: RegisterRule): void {
  if ("offset" in rule && !Number.isSafeInteger(rule.offset)) fail(run, run.cursor.at, "an offset above 2^53");
  if (register < run.columns) run.state.registers[register] = rule;
}

function restore(run: Run, register: number): void {
  if (register < run.columns) run.state.registers[register] = run.initial[register];
}

function setCfa(run: Run, register: number, offset: number): void {
  if (!Number.isSafeInteger(offset)) fail(run, run.cursor.at, "an offset above 2^53");
  run.state.cfa = { kind: "register", register, offset };
}

function registerCfa(run: Run, at: number): CfaRule & { kind: "register" } {
  const { cfa } = run.state;
  return cfa?.kind === "register" ? cfa : fail(run, at, "a change of a frame address that is no register's");
}

function block(cursor: Cursor): Buffer {
  const length = cursor.unsigned();
  const at = cursor.skip(length);
  return cursor.section.data.subarray(at, at + length);
}

function fail(run: Run, at: number, what: string): never {
  throw corrupt(run.fde.section.name, at, what);
}
