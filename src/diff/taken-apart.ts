/** A section in which the compiler keeps several functions (`.sched.text`, `.noinstr.text`), taken apart by its symbols. */
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
  const { operand } = raw.arch.elf.relocations;
  const relocations = raw.relocations.get(section.index) ?? [];
  const relocated = new Set(relocations.map(({ offset }) => offset));
  const added: RawReference[] = [];
  const joins: [from: number, to: number][] = [];
  for (const [i, start] of starts.entries()) {
    const end = starts[i + 1] ?? section.size;
    const leaving = branchesOut(section, { start, end, codeEnd: codeEnd(functions, start, end) }, relocated);
    if (leaving === undefined) return starts.slice(0, 1);
    for (const { field, reach, to, isShort } of leaving) {
      const symbol = nearest(functions, to);
      if (isShort || symbol === undefined) joins.push([start, to]);
      else added.push({ offset: field, type: operand, symbol, addend: to - symbol.value - reach });
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

/** Bytes of a displacement that can be relocated. */
const LONG = 4;

interface Leaving {
  /** Of the displacement, in the section. */
  readonly field: number;
  /** What lies between it and the place that it counts from. */
  readonly reach: number;
  readonly to: number;
  readonly isShort: boolean;
}

/** Of one function, with the padding behind its code. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly codeEnd: number;
}

/** @returns undefined where the code cannot be read */
function branchesOut(
  section: UnitSection,
  { start, end, codeEnd }: Stretch,
  relocated: ReadonlySet<number>,
): Leaving[] | undefined {
  const { code } = section.arch;
  const leaving: Leaving[] = [];
  for (let at = start; at < codeEnd; ) {
    const instruction = code.decode(section.data, at);
    if (instruction === undefined) return undefined;
    const from = at;
    at += instruction.length;
    if (instruction.field === undefined || relocated.has(from + instruction.field)) continue;
    const to = code.leadsTo(section.data, from, instruction);
    if (to >= start && to < end) continue;
    const isShort = instruction.branch > 0 && instruction.branch < LONG;
    leaving.push({ field: from + instruction.field, reach: code.reach(instruction), to, isShort });
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
