/**
 * Names that a function's body declares beyond itself. A declaration in a block
 * of something that is not there has external linkage (C11 6.2.2), and GCC joins
 * its attributes with those of all other declarations of that name.
 */
import { declaratorsOf } from "./declarators.ts";
import { type Group, type Item, isGroup, signOf, wordOf } from "./grouped.ts";

const STATEMENTS = new Set("return else do goto case default if while for switch break continue sizeof".split(" "));

/**
 * Functions and variables declared `extern`, and functions declared in a block
 * without that word; more than these where it cannot be told.
 */
export function blockScopeNames(body: readonly Item[]): string[] {
  const names: string[] = [];
  let statement: Item[] = [];
  const end = (): void => {
    names.push(...declaredIn(statement));
    statement = [];
  };
  for (const item of body) {
    if (isGroup(item)) for (const block of blocksIn(item)) names.push(...blockScopeNames(block.items));
    // What follows a label's colon is a statement of its own.
    const isEnd = /^[;:]$/.test(signOf(item)) || item.kind === "{}" || item.kind === "pragma";
    if (isEnd) end();
    else statement.push(item);
  }
  end();
  return names;
}

/** The outermost braces of a group: itself, or what it has in parentheses. */
function blocksIn(group: Group): Group[] {
  return group.kind === "{}" ? [group] : group.items.filter(isGroup).flatMap(blocksIn);
}

function declaredIn(statement: readonly Item[]): string[] {
  const items = statement.filter(({ kind }) => kind !== "attribute" && kind !== "asm");
  const [first] = items;
  if (items.some((item) => wordOf(item) === "extern")) return externNames(items);
  if (!(first?.kind === "word" || first?.kind === "type") || STATEMENTS.has(wordOf(first))) return [];
  const names: string[] = [];
  let isValue = false;
  for (const [i, item] of items.entries()) {
    const sign = signOf(item);
    if (sign === ",") isValue = false;
    else if (sign === "=") isValue = true;
    if (isValue) continue;
    if (!(item.kind === "word" || item.kind === "type" || isGroup(item) || sign === "*" || sign === ",")) break;
    const name = wordOf(items[i - 1]);
    if (item.kind === "()" && i >= 2 && name !== "") names.push(name);
  }
  return names;
}

/** All words of it where it is not understood: types are among them then. */
function externNames(items: readonly Item[]): string[] {
  const declarators = declaratorsOf(items)?.all;
  return declarators?.map(({ name }) => name) ?? items.map(wordOf).filter((word) => word !== "");
}
