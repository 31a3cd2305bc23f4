/** The names that structures, unions and enumerations in a declaration introduce. */
import { type Group, type Item, isGroup, signOf, wordOf } from "./grouped.ts";

/** What a declaration's types bring, however deep they are nested. */
export interface TypeNames {
  /** Tags that are defined, and enumerators. */
  readonly names: readonly string[];
  /** Tags that are mentioned. */
  readonly tags: readonly string[];
}

const HEADS = new Set(["struct", "union", "enum"]);

/** At any depth; undefined where it is not understood. */
export function typesIn(items: readonly Item[]): TypeNames | undefined {
  const names: string[] = [];
  const tags: string[] = [];
  return collect(items, names, tags) ? { names, tags } : undefined;
}

function collect(items: readonly Item[], names: string[], tags: string[]): boolean {
  for (const [i, item] of items.entries()) {
    if (isGroup(item) && !collect(item.items, names, tags)) return false;
    const head = wordOf(item);
    if (!HEADS.has(head)) continue;
    const { tag, body } = typeAt(items, i);
    if (tag === undefined && body === undefined) return false;
    // An attribute of a type that is defined elsewhere.
    if (body === undefined && items[i + 1]?.kind === "attribute") return false;
    if (tag !== undefined) (body === undefined ? tags : names).push(tag);
    if (head === "enum" && body !== undefined && !enumerators(body, names)) return false;
  }
  return true;
}

/** Of the `struct`, `union` or `enum` at an index; `end` is the index after it all. */
export function typeAt(items: readonly Item[], index: number) {
  let at = index + 1;
  const skip = (): void => {
    while (items[at]?.kind === "attribute") at++;
  };
  skip();
  const tag = wordOf(items[at]) || undefined;
  if (tag !== undefined) at++;
  const afterTag = at;
  skip();
  const item = items[at];
  const body = isGroup(item) && item.kind === "{}" ? item : undefined;
  return { tag, body, end: body === undefined ? afterTag : at + 1 };
}

function enumerators(body: Group, names: string[]): boolean {
  let isFirst = true;
  for (const item of body.items) {
    if (signOf(item) === ",") isFirst = true;
    else if (isFirst) {
      if (item.kind !== "word") return false;
      names.push(item.text);
      isFirst = false;
    }
  }
  return true;
}
