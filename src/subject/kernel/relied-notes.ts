/** What is said of a kernel's livepatch that does not replace others: the kernel's core asks nobody before it takes one in beside it. */
import type { Wanted } from "../../builder/subject.ts";
import type { Note } from "../../patch/metadata.ts";
import type { KernelUnitDiff } from "./examine-pair.ts";

const MOST_NAMED = 6;

/** A note `RELIES_ON_ORIGINAL` for each unit whose new code was compiled by what is known of functions that stay. */
export function reliedNotes(relied: Wanted<KernelUnitDiff>["relied"]): Note[] {
  const units = [...new Set([...relied.keys()].map(({ unit }) => unit))];
  return units.map((unit) => {
    const own = [...relied].filter(([each]) => each.unit === unit);
    const names = [...new Set(own.flatMap(([, each]) => each))].sort();
    const shown = names.slice(0, MOST_NAMED).join(", ");
    const rest = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : "";
    return {
      code: "RELIES_ON_ORIGINAL",
      text: `new code of ${unit.source} was compiled by what is known of ${shown}${rest}: load no livepatch beside this one that replaces any of it`,
    };
  });
}
