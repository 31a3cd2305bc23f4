/**
 * Units of tables and variables, without a function of their own: no code of theirs
 * proves that they are part of an object. Their names do, in what is not stripped,
 * or code of other units that leads to them.
 */
import { STB, STT } from "../../../elf/constants.ts";
import type { ElfSymbol } from "../../../elf/model.ts";
import type { PlainObject } from "./plain-object.ts";
import { type ProgramProof, partsOf } from "./prove.ts";

/** The objects that a unit is part of, by its code or its data. @param ofCode proofs of all units, of which code is there */
export function partsBeside(proofs: readonly ProgramProof[], ofCode: readonly ProgramProof[]): ProgramProof[] {
  return [...new Set([...partsOf(proofs), ...dataPartsOf(proofs, ofCode)])];
}

function dataPartsOf(proofs: readonly ProgramProof[], parts: readonly ProgramProof[]): ProgramProof[] {
  return proofs.filter(({ object, shipped }) => {
    const beside = parts.filter((part) => part.shipped === shipped);
    return dataOf(object).some(
      ({ name, size, binding }) =>
        shipped.places(name).some((place) => isData(place) && place.size === Number(size)) ||
        (binding !== STB.LOCAL && beside.some(({ match }) => isPlaced(match.claims.external(name)?.kind))),
    );
  });
}

/** Whether a unit's data may lie in an object whose names are stripped, and nothing would show it. */
export function mayHaveData({ object, shipped }: ProgramProof): boolean {
  return dataOf(object).some(({ binding }) => binding !== STB.LOCAL) && !shipped.hasNames;
}

/** None where the unit has a function that is not taken from whichever unit comes first. */
function dataOf({ file, functions }: PlainObject): ElfSymbol[] {
  if (functions.some(({ symbol }) => symbol.binding !== STB.WEAK)) return [];
  return file.symbols.filter((symbol) => isData(symbol) && symbol.place.kind !== "undefined" && symbol.name !== "");
}

function isData({ type }: { readonly type: number }): boolean {
  return type === STT.OBJECT || type === STT.TLS || type === STT.COMMON;
}

function isPlaced(kind: "place" | "thread" | "import" | undefined): boolean {
  return kind === "place" || kind === "thread";
}
