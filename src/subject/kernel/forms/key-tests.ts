/**
 * Static keys that a module has for itself. A livepatch's jump labels are set up
 * when it is loaded, and a module that may come later is not there by then; so
 * new code that branches on such a key is compiled anew in a form that reads the
 * key's count at each branch.
 */
import type { KernelUnitDiff } from "../examine-pair.ts";
import { linkUnit } from "../match/locate.ts";
import { compiledAnew, type FormOptions } from "./compiled-anew.ts";
import { type FormNote, inOtherForm } from "./in-other-form.ts";

const NOTE: FormNote = {
  code: "STATIC_KEYS_ASKED",
  says: (unit, functions, object) =>
    `new code of ${unit} (${functions}) reads static keys where it branches on them: those of ${object} cannot be bound when the livepatch is loaded`,
};

/**
 * The diffs of a unit, those in whose new code a key would be bound too late in
 * the form that asks for its keys. One stays as it is, and is refused by the
 * linker, where what it needs cannot be told in that form.
 */
export async function withKeyTests(diffs: readonly KernelUnitDiff[], options: FormOptions): Promise<KernelUnitDiff[]> {
  const isLate = diffs.map((each) => keysBoundLate(each, options).size > 0);
  if (!isLate.includes(true)) return [...diffs];
  const units = await compiledAnew(options.compile.kernel.arch.kernel.sources.jumpLabels, options);
  if (units === undefined) return [...diffs];
  return diffs.map((each, i) => (isLate[i] === true ? (inOtherForm(each, units, NOTE) ?? each) : each));
}

/** Names of the static keys that new code branches on and that are only there once their module is. */
function keysBoundLate(each: KernelUnitDiff, { shipped, symvers }: FormOptions): Set<string> {
  const names = new Set<string>();
  const { proof, dependencies, diff } = each;
  if (proof.shipped.object === "vmlinux") return names;
  const located = linkUnit({ proof, selection: diff.selection, vmlinux: shipped.vmlinux, symvers, dependencies });
  for (const { entries } of diff.selection.pieces) {
    for (const { entry, references } of entries) {
      const key = references.find(({ offset }) => offset === entry.table.staticKey?.[entry.data.length])?.destination;
      const found =
        key?.kind === "original"
          ? located.locate(key.atom)
          : key?.kind === "external"
            ? located.external(key.name)
            : undefined;
      const origin = found?.origin;
      // A tracepoint's stays off, which is said, and costs no compile.
      if (origin?.kind !== "livepatch" || origin.object === "vmlinux" || origin.name.startsWith("__tracepoint_"))
        continue;
      names.add(origin.name);
    }
  }
  return names;
}
