import type { UnitDiff } from "../../builder/subject.ts";
import type { Atom } from "../../diff/unit.ts";
import type { ElfFile } from "../../elf/model.ts";
import type { ProgramProof } from "./match/prove.ts";
import type { ProgramUnit } from "./program.ts";

/** The diff of one unit in one shipped file that it is part of; `patched` is the object with the diff. */
export interface ProgramUnitDiff extends UnitDiff<ProgramUnit> {
  readonly proof: ProgramProof;
  readonly patched: ElfFile;
}

/** Of each atom of an original, the proof of the unit that has it, in the shipped object that the diff is for. */
export type Homes = ReadonlyMap<Atom, ProgramProof>;

/** Of all parts that are given: an atom belongs to one of them. */
export function homesOf(parts: readonly { readonly atoms: readonly Atom[]; readonly proof: ProgramProof }[]): Homes {
  return new Map(parts.flatMap(({ atoms, proof }) => atoms.map((atom) => [atom, proof] as const)));
}
