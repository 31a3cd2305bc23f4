/** Constants that proved functions use: tables of jumps among them, which are code as much as the code is. */
import { linkedFieldsOf } from "../../../arch/registry.ts";
import { SHF, SHT, STT } from "../../../elf/constants.ts";
import type { ElfSection } from "../../../elf/model.ts";
import type { ShippedProgram } from "../shipped/shipped-program.ts";
import type { Claims } from "./claims.ts";
import type { ProgramMismatch } from "./mismatch.ts";
import type { PlacedFunction } from "./placed-function.ts";
import { hasBytes, isFolded, isThreadLocal, type PlainObject } from "./plain-object.ts";

/** The functions that use a constant that is another one in the shipped object. */
export function verifyConstants(
  object: PlainObject,
  shipped: ShippedProgram,
  claims: Claims,
  proved: ReadonlyMap<string, PlacedFunction>,
): Map<string, ProgramMismatch> {
  const mismatches = new Map<string, ProgramMismatch>();
  for (const section of object.file.sections) {
    if (!isConstant(section)) continue;
    const base = claims.base(section);
    const offset = base === undefined ? undefined : firstDifference(section, base, { object, shipped, claims });
    if (base === undefined || offset === undefined) continue;
    const users = usersOf(object, section).filter(({ name }) => proved.has(name));
    const nearest = Math.max(...users.filter((use) => use.offset <= offset).map((use) => use.offset));
    for (const { name, at, offset: used } of users) {
      const function_ = proved.get(name);
      if (used === nearest && function_ !== undefined)
        mismatches.set(name, {
          kind: "target",
          at: function_.at,
          offset: at,
          wanted: `${section.name}+0x${used.toString(16)}`,
          found: "another constant",
        });
    }
  }
  return mismatches;
}

function isConstant(section: ElfSection): boolean {
  const { flags, type, name } = section;
  const isReadOnly = (flags & (SHF.WRITE | SHF.EXECINSTR)) === 0;
  if ((flags & SHF.ALLOC) === 0 || !isReadOnly || isFolded(section) || isThreadLocal(section)) return false;
  return hasBytes(section) && type === SHT.PROGBITS && !/^\.(eh_frame|gcc_except_table)/.test(name);
}

interface Matched {
  readonly object: PlainObject;
  readonly shipped: ShippedProgram;
  readonly claims: Claims;
}

function firstDifference(section: ElfSection, base: number, { object, shipped, claims }: Matched): number | undefined {
  const bytes = shipped.bytes(base, section.data.length);
  if (bytes === undefined) return 0;
  let from = 0;
  for (const reference of object.references(section)) {
    const { offset, type } = reference;
    if (section.data.compare(bytes, from, offset, from, offset) !== 0) break;
    const value = linkedFieldsOf(object.arch).readField(reference, base + offset, section.data, shipped);
    if (claims.add(reference, value, false) !== undefined) return offset;
    from = offset + (object.arch.elf.relocationSize(type) ?? 0);
  }
  const next = object.references(section).find(({ offset }) => offset >= from)?.offset ?? section.data.length;
  for (let i = from; i < next; i++) if (section.data[i] !== bytes[i]) return i;
  return undefined;
}

/** Which functions refer to the section, from where in them and to which offset. */
function usersOf(object: PlainObject, section: ElfSection): { name: string; at: number; offset: number }[] {
  const { code, elf } = object.arch;
  return object.functions.flatMap(({ symbol, section: text, start, size }) =>
    object.references(text).flatMap((reference) => {
      const { offset, addend } = reference;
      if (offset < start || offset >= start + size || object.sectionOf(reference.symbol) !== section) return [];
      const isNamed = reference.symbol.type !== STT.SECTION;
      const used = isNamed ? Number(reference.symbol.value) : addend + code.usualReach(elf.relocations.operand);
      return [{ name: symbol.name, at: offset - start, offset: used }];
    }),
  );
}
