/**
 * Constants that the kernel writes into its own code when it boots. A livepatch
 * comes later; so new code that has one is compiled anew in the form that reads
 * the variable it is taken from, as the code of modules does.
 */
import type { KernelUnitDiff } from "../examine-pair.ts";
import { compiledAnew, type FormOptions } from "./compiled-anew.ts";
import { type FormNote, inOtherForm } from "./in-other-form.ts";

const NOTE: FormNote = {
  code: "RUNTIME_CONSTANTS_READ",
  instead: "RUNTIME_CONSTANT",
  says: (unit, functions) =>
    `new code of ${unit} (${functions}) reads the variables of which running code has the values in it: the kernel fills these in when it boots, in its own code alone`,
};

/** The diffs of a unit; one that cannot be told in that form stays as it is, refused. */
export async function withConstantsRead(
  diffs: readonly KernelUnitDiff[],
  options: FormOptions,
): Promise<KernelUnitDiff[]> {
  const isHolding = diffs.map(({ diff }) => diff.refusals.some(({ code }) => code === "RUNTIME_CONSTANT"));
  if (!isHolding.includes(true)) return [...diffs];
  const units = await compiledAnew(options.compile.kernel.arch.kernel.sources.runtimeConstants, options);
  if (units === undefined) return [...diffs];
  return diffs.map((each, i) => (isHolding[i] === true ? (inOtherForm(each, units, NOTE) ?? each) : each));
}
