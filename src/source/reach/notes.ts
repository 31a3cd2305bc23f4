/** What a reader is told of the units that read a changed file and were not compiled. */
import type { Note } from "../../patch/metadata.ts";
import type { UnitReach } from "./unit-reach.ts";

/**
 * One for each file by which units get other declarations and no other code.
 *
 * @param reaches of the units that are not compiled for their own source
 */
export function reachNotes(reaches: readonly UnitReach[]): Note[] {
  const files = [...new Set(reaches.flatMap(({ kind, reads }) => (isLeftOut(kind) ? reads : [])))].sort();
  return files.map((path) => {
    const readers = reaches.filter(({ reads }) => reads.includes(path));
    const compiled = readers.filter(({ kind }) => kind === "reached").length;
    const left = readers.length - compiled;
    const rest =
      compiled === 0
        ? ""
        : `; ${compiled} may use what is changed in it, and ${compiled === 1 ? "was" : "were"} compiled`;
    const isSure = readers.every(({ kind }) => kind !== "unnamed");
    const include = isSure ? (readers.length === 1 ? "includes" : "include") : "may include";
    const text =
      `beside the files of the diff, ${unitCount(readers.length)} ${include} ${path}${rest}; ` +
      `the code of ${left} cannot be changed by it`;
    return { code: "NOT_REACHED", text };
  });
}

function isLeftOut(kind: UnitReach["kind"]): boolean {
  return kind === "inert" || kind === "unnamed";
}

function unitCount(count: number): string {
  return count === 1 ? "1 translation unit" : `${count} translation units`;
}
