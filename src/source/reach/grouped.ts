/** Tokens with their brackets nested, and what stands before a bracket and belongs to it taken together. */
import type { Token } from "./tokens.ts";

/** A token, or a bracket with all that is in it. */
export type Item = Token | Group;

/**
 * A bracket's contents, without the bracket; `attribute`, `type` and `asm` are those of
 * __attribute__, typeof and the like, and asm.
 */
export interface Group {
  readonly kind: "()" | "[]" | "{}" | "attribute" | "type" | "asm";
  readonly items: readonly Item[];
}

const OPENS: Readonly<Record<string, "()" | "[]" | "{}">> = { "(": "()", "[": "[]", "{": "{}" };
const CLOSES = new Set([")", "]", "}"]);

/** Words that take an argument in parentheses and make something else of it than a call. */
const TAKING: ReadonlyMap<string, "attribute" | "type" | "asm"> = new Map([
  ...(["__attribute__", "__attribute"] as const).map((word) => [word, "attribute"] as const),
  ...(["typeof", "__typeof", "__typeof__", "_Atomic", "_Alignas"] as const).map((word) => [word, "type"] as const),
  ...(["asm", "__asm", "__asm__"] as const).map((word) => [word, "asm"] as const),
]);

const ASM_QUALIFIERS = new Set(["volatile", "__volatile__", "__volatile", "inline", "__inline", "__inline__", "goto"]);

const DEEPEST = 1000;

/** undefined where brackets do not fit, or lie too deep in each other. */
export function grouped(tokens: readonly Token[]): readonly Item[] | undefined {
  const levels: { kind: Group["kind"] | undefined; closes: string; items: Item[] }[] = [
    { kind: undefined, closes: "", items: [] },
  ];
  for (const token of tokens) {
    const level = levels[levels.length - 1] as (typeof levels)[number];
    const opens = token.kind === "sign" ? OPENS[token.text] : undefined;
    if (opens !== undefined) {
      if (levels.length > DEEPEST) return undefined;
      levels.push({ kind: opens, closes: opens.charAt(1), items: [] });
    } else if (token.kind === "sign" && CLOSES.has(token.text)) {
      if (level.closes !== token.text || level.kind === undefined) return undefined;
      levels.pop();
      const outer = (levels[levels.length - 1] as (typeof levels)[number]).items;
      outer.push({ kind: level.kind, items: level.items });
      if (level.kind === "()") takeTogether(outer);
    } else level.items.push(token);
  }
  return levels.length === 1 ? levels[0]?.items : undefined;
}

/** Puts the word before the parentheses that end the items into one group with them. */
function takeTogether(items: Item[]): void {
  const group = items[items.length - 1] as Group;
  let at = items.length - 2;
  while (at >= 0 && ASM_QUALIFIERS.has(wordOf(items[at]))) at--;
  const kind = TAKING.get(wordOf(items[at]));
  if (kind === undefined || (kind !== "asm" && at !== items.length - 2)) return;
  items.splice(at, items.length - at, { kind, items: group.items });
}

/** Empty for what is no word. */
export function wordOf(item: Item | undefined): string {
  return item?.kind === "word" ? item.text : "";
}

/** Empty for what is no sign. */
export function signOf(item: Item | undefined): string {
  return item?.kind === "sign" ? item.text : "";
}

/** Whether it has items of its own. */
export function isGroup(item: Item | undefined): item is Group {
  return item !== undefined && "items" in item;
}
