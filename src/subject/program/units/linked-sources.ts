/** Links in a source tree that lead a compile around the view: builds that link their sources into another folder. */
import { join, normalize } from "node:path";
import { realPathIfThere } from "../../../lib/if-there.ts";
import type { TreeView } from "../../../source/tree.ts";

/**
 * Shows changed files under the names by which a compile has read those of the
 * tree itself, through links.
 * @param dependencies what it has read, from the view's root on
 * @returns whether there were any: the compile is to be done again then
 */
export function showLinked(view: TreeView, tree: string, dependencies: readonly string[]): boolean {
  const changed = new Map(view.changes.map(({ path, text }) => [join(tree, path), text]));
  let isAny = false;
  for (const path of new Set(dependencies.map((each) => normalize(each)))) {
    const text = changed.get(realPathIfThere(join(view.directory, path)));
    if (text === undefined) continue;
    view.show(path, text);
    isAny = true;
  }
  return isAny;
}
