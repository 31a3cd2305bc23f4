/** What is said of a kernel's livepatch that does not replace others: the kernel's core asks nobody before it takes one in beside it. */
import { readFile } from "node:fs/promises";
import { apartOptions, calledOriginals, reliesOn } from "../../builder/relies.ts";
import { readUnit } from "../../diff/read-unit.ts";
import { readElf } from "../../elf/read.ts";
import type { Note } from "../../patch/metadata.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import type { TreeView } from "../../source/tree.ts";
import { type CompileOptions, compileInView } from "./compile.ts";
import type { UnitDiff } from "./examine-pair.ts";
import type { ShippedObjects } from "./match/shipped-objects.ts";

const MOST_NAMED = 6;

export async function reliedNotes(
  units: readonly Unit[],
  diffs: readonly UnitDiff[],
  view: TreeView,
  into: string,
  shipped: ShippedObjects,
  options: CompileOptions,
): Promise<Note[]> {
  const notes: Note[] = [];
  for (const unit of units) {
    const own = diffs.filter(({ diff }) => diff.selection.unit === unit.source && calledOriginals(diff).length > 0);
    if (own.length === 0) continue;
    const object = `apart/${unit.object}`;
    const more = apartOptions(options.compiler) ?? [];
    const compiled = await compileInView({ ...unit, object, args: [...unit.args, ...more] }, view, into, options);
    const apart =
      compiled.kind === "compiled"
        ? readUnit(readElf(await readFile(compiled.object), unit.source), shipped.layouts.entrySizes)
        : undefined;
    const names = [...new Set(own.flatMap(({ diff }) => reliesOn(diff, apart)))].sort();
    if (names.length === 0) continue;
    const shown = names.slice(0, MOST_NAMED).join(", ");
    const rest = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : "";
    notes.push({
      code: "RELIES_ON_ORIGINAL",
      text: `new code of ${unit.source} was compiled by what is known of ${shown}${rest}: load no livepatch beside this one that replaces any of it`,
    });
  }
  return notes;
}
