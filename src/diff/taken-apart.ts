/** A section in which the compiler keeps several functions (`.sched.text`, `.noinstr.text`), taken apart by its symbols. */
import { decodeInstruction } from "../arch/x86_64/instruction.ts";
import { R_X86_64 } from "../arch/x86_64/relocations.ts";
import { STT } from "../elf/constants.ts";
import type { RawReference, RawUnit } from "./raw-unit.ts";
import type { UnitSection, UnitSymbol } from "./unit.ts";

/**
 * What the assembler has resolved by itself, a branch or an address that leads
 * from one function of a section to another, becomes a relocation again. A short
 * branch has no room for one: it holds together the functions that it joins, and
 * what lies between them. So does code that cannot be read, with all of its section.
 * @param starts of the functions, in order
 * @returns those of them at which the section can be cut
 */
export function takenApart(
  section: UnitSection,
  starts: readonly number[],
  functions: readonly UnitSymbol[],
  raw: RawUnit,
): readonly number[] {
  const relocations = raw.relocations.get(section.index) ?? [];
  const relocated = new Set(relocations.map(({ offset }) => offset));
  const added: RawReference[] = [];
  const joins: [from: number, to: number][] = [];
  for (const [i, start] of starts.entries()) {
    const end = starts[i + 1] ?? section.size;
    const leaving = branchesOut(section, start, end, codeEnd(functions, start, end), relocated);
    if (leaving === undefined) return starts.slice(0, 1);
    for (const { field, next, to, isShort } of leaving) {
      const symbol = nearest(functions, to);
      if (isShort || symbol === undefined) joins.push([start, to]);
      else added.push({ offset: field, type: R_X86_64.PC32, symbol, addend: to - symbol.value - (next - field) });
    }
  }
  if (added.length > 0) {
    const all = [...relocations, ...added].sort((a, b) => a.offset - b.offset);
    raw.relocations.set(section.index, all);
  }
  return starts.filter(
    (start) => !joins.some(([from, to]) => Math.min(from, to) < start && start <= Math.max(from, to)),
  );
}

interface Leaving {
  /** Of the displacement, in the section. */
  readonly field: number;
  /** Where the instruction ends. */
  readonly next: number;
  readonly to: number;
  readonly isShort: boolean;
}

/** @returns undefined where the code cannot be read */
function branchesOut(
  section: UnitSection,
  start: number,
  end: number,
  codeEnd: number,
  relocated: ReadonlySet<number>,
): Leaving[] | undefined {
  const leaving: Leaving[] = [];
  for (let at = start; at < codeEnd; ) {
    const instruction = decodeInstruction(section.data, at);
    if (instruction === undefined) return undefined;
    const { length, branch, ripField } = instruction;
    const next = at + length;
    const field = branch > 0 ? next - branch : ripField === undefined ? undefined : at + ripField;
    at = next;
    if (field === undefined || relocated.has(field)) continue;
    const to = next + (branch === 1 ? section.data.readInt8(field) : section.data.readInt32LE(field));
    if (to < start || to >= end) leaving.push({ field, next, to, isShort: branch === 1 });
  }
  return leaving;
}

/** A function of unknown size reaches up to the next one. */
function codeEnd(functions: readonly UnitSymbol[], start: number, end: number): number {
  const inside = functions.filter(({ value, type }) => type === STT.FUNC && value >= start && value < end);
  if (inside.some(({ size }) => size === 0)) return end;
  return Math.min(end, Math.max(start, ...inside.map(({ value, size }) => value + size)));
}

function nearest(functions: readonly UnitSymbol[], offset: number): UnitSymbol | undefined {
  return functions.findLast(
    ({ type, value, size }) => type === STT.FUNC && value <= offset && offset < value + Math.max(1, size),
  );
}
