/** The tags that a chunk makes known to the rest of the file. */
import { type Item, isGroup, wordOf } from "./grouped.ts";
import { typeAt } from "./type-names.ts";

/**
 * Those mentioned at its top and in the bodies of types there, whose scope is the
 * file's (C11 6.2.1). A parameter's and a block's are not, nor what lies in any
 * other parentheses.
 */
export function tagsDeclaredBy(items: readonly Item[]): string[] {
  return items.flatMap((item, i) => {
    if (!["struct", "union", "enum"].includes(wordOf(item))) return [];
    const { tag, body } = typeAt(items, i);
    return [...(tag === undefined ? [] : [tag]), ...(isGroup(body) ? tagsDeclaredBy(body.items) : [])];
  });
}
