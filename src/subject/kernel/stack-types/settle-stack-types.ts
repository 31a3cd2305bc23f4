/** What becomes of the changes of layouts that a unit's diff makes: allowed where objects live on stacks alone, refused elsewhere. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TypeFindings } from "../../../builder/type-changes.ts";
import type { Note } from "../../../patch/metadata.ts";
import type { Refusal } from "../../../patch/refusal.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import type { ChangedFile } from "../../../source/diffs/diff-input.ts";
import type { TreeView } from "../../../source/tree.ts";
import type { CompileOptions } from "../compile.ts";
import type { KernelUnitDiff } from "../examine-pair.ts";
import { whyNotOnStacks } from "./stack-types.ts";

/** The unit whose types change, before and after. */
export interface SettleOptions {
  readonly unit: Unit;
  readonly view: TreeView;
  readonly compile: CompileOptions;
  readonly files: readonly ChangedFile[];
}

/** Which refusals stay, with the reason why the objects are not on stacks alone. */
export interface Settled {
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
  /** Whether the functions of the unit have to be switched at one moment. */
  readonly atOnce: boolean;
}

/** Goes through the findings one by one: each refusal stays, or becomes a note `STACK_TYPE_CHANGED`. */
export async function settleStackTypes(
  { changes, refusals }: TypeFindings,
  objects: readonly KernelUnitDiff[],
  { unit, view, compile, files }: SettleOptions,
): Promise<Settled> {
  const file = files.find(({ path }) => path === unit.source);
  const original = file?.original ?? (await readFile(join(compile.kernel.source, unit.source), "latin1"));
  const texts = [original, file === undefined ? original : file.patched];
  const diffs = objects.map(({ diff }) => diff);
  const refused: Refusal[] = [];
  const notes: Note[] = [];
  for (const [i, change] of changes.entries()) {
    const why = await whyNotOnStacks(change, { unit, view, compile, diffs, texts });
    const told = refusals[i] as Refusal;
    if (why !== undefined) refused.push({ ...told, what: `${told.what}; it ${why}` });
    else
      notes.push({
        code: "STACK_TYPE_CHANGED",
        text: `${change.kind} ${change.name} is changed, and lives on the stacks of replaced functions alone`,
      });
  }
  return { refusals: refused, notes, atOnce: notes.length > 0 && refused.length === 0 };
}
