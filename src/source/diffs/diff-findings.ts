/** What is said of a diff whatever the source is. */
import type { Note } from "../../patch/metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";

/** The note `NOT_BUILT`. */
export function notBuilt(path: string): Note {
  return { code: "NOT_BUILT", text: `${path} is not built in this kernel's configuration; its change is left out` };
}

/** `FILE_RENAMED` or `FILE_COPIED`: whose function is whose cannot be told from the diff. */
export function renamedRefusal(oldName: string, newName: string, isCopy: boolean): Refusal {
  return refusal(
    isCopy ? "FILE_COPIED" : "FILE_RENAMED",
    `the diff ${isCopy ? "copies" : "renames"} ${oldName}; the functions of both files cannot be paired`,
    `${oldName} to ${newName}`,
    "make the diff with git diff --no-renames, or keep the old name",
  );
}
