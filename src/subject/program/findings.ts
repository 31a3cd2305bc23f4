/** What a diff of a program selects that cannot be patched, or takes effect later than one might think. */

import { STT } from "../../elf/constants.ts";
import type { Note } from "../../patch/metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { ProgramUnitDiff } from "./unit-diff.ts";

/** `IFUNC_CHANGED` for each function whose choice has been made when the program was loaded. */
export function ifuncRefusals({ diff: { selection } }: ProgramUnitDiff): Refusal[] {
  return selection.pieces.flatMap(({ atom }) => {
    const chosen = atom.symbols.find(({ type }) => type === STT.GNU_IFUNC);
    if (chosen === undefined) return [];
    return [
      refusal(
        "IFUNC_CHANGED",
        `${atom.name} chooses which version of ${chosen.name} runs (ifunc), and has chosen already`,
        `${selection.unit}: ${atom.section.name}`,
        `change the versions of ${chosen.name} themselves`,
      ),
    ];
  });
}

/** The note `NEVER_RETURNS` where `main` is patched. */
export function mainNotes({ diff: { selection } }: ProgramUnitDiff): Note[] {
  return selection.funcs
    .filter(({ name }) => name === "main")
    .map(() => ({
      code: "NEVER_RETURNS",
      text: "main is on the stack as long as the program runs: no task that runs now will get its new version",
    }));
}
