/**
 * One function, one account: a name by which the running system knows a function
 * has to belong to the piece that was paired with the one that had it.
 */
import { STB, STT } from "../elf/constants.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Books } from "./books.ts";
import { isFreed } from "./roles.ts";
import { type Atom, entryOffset } from "./unit.ts";

/**
 * A refusal for each name that would lead to another function than the one that runs
 * under it (`FUNCTION_NAME_MOVED`), or that shares its piece with others.
 */
export function movedNames({ original, patched, pairing, selection, options }: Books): Refusal[] {
  const where = ({ section }: Atom) => `${patched.name}: ${section.name}`;
  const refusals: Refusal[] = [];
  for (const atom of patched.atoms) {
    if (atom.kind !== "function" || !isRunning(atom, options.isModule)) continue;
    for (const symbol of entries(atom)) {
      const before = original.definitions.get(symbol.name);
      const twin = pairing.originalOf.get(atom);
      if (before === undefined || before.kind !== "function" || !isRunning(before, options.isModule)) continue;
      const was = before.symbols.find(({ name }) => name === symbol.name);
      const isSamePlace = was === undefined || isEntryOf(before, was.value) === isEntryOf(atom, symbol.value);
      if (before === twin && isSamePlace) continue;
      const together = [before, atom].find((it) => isJoined(it));
      if (together !== undefined) {
        refusals.push(joined(together, where(together)));
        continue;
      }
      refusals.push(
        refusal(
          "FUNCTION_NAME_MOVED",
          `${symbol.name} is the name of ${before.name} in what runs, and would be that of ${atom.name}: who has the address of the one is not led to the other`,
          where(atom),
          "give the other function a new name, or change the function that has it",
        ),
      );
    }
  }
  refusals.push(...movedVariables({ original, patched, pairing, options }, where));
  for (const { patched: atom, original: before } of selection.funcs) {
    const together = [before, atom].find((it) => isJoined(it));
    if (together !== undefined) refusals.push(joined(together, where(together)));
  }
  return refusals;
}

/** A name that other files see, of a variable that has several. */
function movedVariables(
  { original, patched, pairing, options }: Pick<Books, "original" | "patched" | "pairing" | "options">,
  where: (atom: Atom) => string,
): Refusal[] {
  const isVariable = ({ kind, section }: Atom) =>
    (kind === "data" || kind === "constant") && !isFreed(section, options.isModule);
  return patched.atoms.filter(isVariable).flatMap((atom) =>
    atom.symbols.flatMap(({ name, binding }) => {
      const before = binding === STB.LOCAL ? undefined : original.definitions.get(name);
      if (before === undefined || !isVariable(before) || pairing.originalOf.get(atom) === before) return [];
      return [
        refusal(
          "ALREADY_DEFINED",
          `${name} is a name of ${before.name} in what runs, and would be that of ${atom.name}: other files go on with the one that it was`,
          where(atom),
          "give the other variable a new name",
        ),
      ];
    }),
  );
}

function isJoined(atom: Atom): boolean {
  return entries(atom).some(({ value }) => !isEntryOf(atom, value));
}

function joined(atom: Atom, where: string): Refusal {
  const names = entries(atom).map(({ name }) => name);
  return refusal(
    "FUNCTIONS_JOINED",
    `one of ${names.join(", ")} changes, and a short jump between them holds them together, so that they are not told apart`,
    where,
    "change a function that calls them",
  );
}

function isRunning({ section }: Atom, isModule: boolean): boolean {
  return section.role === "code" && (isModule || section.name !== ".exit.text");
}

/** Symbols of functions, those of their parts and of the padding before them left out. */
function entries({ symbols }: Atom) {
  return symbols.filter(
    ({ type, name }) => type === STT.FUNC && !name.startsWith("__pfx_") && !/\.(cold|part|constprop|isra)\b/.test(name),
  );
}

function isEntryOf(atom: Atom, value: number): boolean {
  return value - atom.start === entryOffset(atom);
}
