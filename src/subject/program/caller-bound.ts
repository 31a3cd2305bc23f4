/**
 * What libc looks at its caller for: the place that a call comes from says in which object
 * the search for a name begins, and where a library is looked for. New code lies in none.
 */
import { type Atom, entryOffset } from "../../diff/unit.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { dynamicStrings } from "./shipped/dynamic-strings.ts";
import type { ProgramUnitDiff } from "./unit-diff.ts";

const LOOKS_UP = /^dlv?sym$/;
const OPENS = /^dlm?open$/;

/** Refusals for new code that would get another answer than the object's own code. */
export function callerBoundRefusals({ diff, proof: { shipped } }: ProgramUnitDiff): Refusal[] {
  const { isLibrary, runPaths } = dynamicStrings(shipped.file);
  return diff.selection.pieces.flatMap(({ atom, references }) => {
    const names = references.flatMap(({ destination }) => (destination.kind === "external" ? [destination.name] : []));
    const looking = names.find((name) => LOOKS_UP.test(name));
    const opening = isLibrary && runPaths.length > 0 ? names.find((name) => OPENS.test(name)) : undefined;
    const where = `${diff.patched.name}: ${atom.section.name}`;
    const found: Refusal[] = [];
    if (looking !== undefined && mayAskForNext(atom))
      found.push(
        refusal(
          "CALLER_LOOKED_AT",
          `${atom.name} calls ${looking} with RTLD_NEXT, as it seems, which begins behind the object that the call comes from: new code is in none, and would find nothing`,
          where,
          "leave the call in a function that does not change, and have new code use what that one finds",
        ),
      );
    if (opening !== undefined)
      found.push(
        refusal(
          "CALLER_LOOKED_AT",
          `${atom.name} calls ${opening}, which looks in the directories (RPATH, RUNPATH) of the library that the call comes from: new code is in none, and would look in the program's`,
          where,
          "leave the call in a function that does not change",
        ),
      );
    return found;
  });
}

/** RTLD_NEXT is -1. What cannot be read may hold it; data calls nothing. */
function mayAskForNext(atom: Atom): boolean {
  if (atom.kind !== "function") return atom.kind === "code";
  const { code } = atom.section.arch;
  const bytes = atom.data;
  for (let at = entryOffset(atom); at < bytes.length; ) {
    const instruction = code.decode(bytes, at);
    if (instruction === undefined || code.setsAllOnes(bytes, at, instruction.length)) return true;
    at += instruction.length;
  }
  return false;
}
