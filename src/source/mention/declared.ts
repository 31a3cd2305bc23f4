/** What a piece of a header declares, its macros as they are written. */
import { type Declaration, declarationOf } from "../reach/declaration.ts";
import { type Group, grouped, type Item, isGroup, signOf, wordOf } from "../reach/grouped.ts";
import { tagsDeclaredBy } from "../reach/tags-declared.ts";
import { tokensOf } from "../reach/tokens.ts";
import type { MacroEffects, Place } from "./macro-effects.ts";

/** What an element of code does to the units that read it, if it only declares. */
export interface Declared {
  readonly names: readonly string[];
  /** Tags that it declares for the rest of the file where nothing before it has. */
  readonly tags: readonly string[];
  /** Files in whose readers it may be something else. */
  readonly strangers: ReadonlySet<number>;
}

/** undefined where it may do more than declare, or is not understood. */
export function declaredBy(code: string, effects: MacroEffects): Declared | undefined {
  const items = grouped(tokensOf(code));
  if (items === undefined) return undefined;
  const strangers = new Set<number>();
  const plain = withoutNeutral(items, effects, strangers);
  // What begins with a call is a macro's, whatever that is.
  if (plain === undefined || (wordOf(plain[0]) !== "" && isGroup(plain[1]) && plain[1].kind === "()")) return undefined;
  const declaration: Declaration | undefined = declarationOf(writtenOut(plain));
  if (declaration === undefined) return undefined;
  // A declared name that is a macro may be another name.
  for (const name of declaration.names) for (const file of effects.renaming(name)) strangers.add(file);
  const tags = tagsDeclaredBy(plain).filter((tag) => !declaration.names.includes(tag));
  return { names: declaration.names, tags, strangers };
}

function withoutNeutral(items: readonly Item[], effects: MacroEffects, strangers: Set<number>): Item[] | undefined {
  const out: Item[] = [];
  const last = items[items.length - 1];
  for (let i = 0; i < items.length; i++) {
    const item = items[i] as Item;
    if (isGroup(item)) {
      const isBody = item === last && item.kind === "{}" && isGroup(items[i - 1]);
      lookInto(item, isBody ? "body" : "type", effects, strangers);
      out.push(item);
      continue;
    }
    const word = wordOf(item);
    if (word === "" || !effects.isMacro(word)) {
      out.push(item);
      continue;
    }
    const neutral = effects.neutral(word, strangers);
    if (neutral === undefined) {
      out.push(item);
      continue;
    }
    if (neutral.takesArguments) {
      const next = items[i + 1];
      if (!isGroup(next) || next.kind !== "()") return undefined;
      i++;
    }
    if (neutral.isInline) out.push({ kind: "word", text: "inline" });
    if (neutral.hasSection) out.push(SECTION);
    // A word that names a type stays one.
    if (!neutral.isInline && neutral.isType) out.push(item);
  }
  return out;
}

const SECTION = grouped(tokensOf('__attribute__((section("")))'))?.[0] as Group;

function lookInto(group: Group, place: Place, effects: MacroEffects, strangers: Set<number>): void {
  for (const item of group.items) {
    if (isGroup(item)) lookInto(item, place, effects, strangers);
    else if (wordOf(item) !== "") for (const file of effects.strangers(wordOf(item), place)) strangers.add(file);
  }
}

const WRITTEN: Readonly<Record<Group["kind"], readonly [string, string]>> = {
  "()": ["(", ")"],
  "[]": ["[", "]"],
  "{}": ["{", "}"],
  attribute: ["__attribute__(", ")"],
  type: ["typeof(", ")"],
  asm: ["asm(", ")"],
};

function writtenOut(items: readonly Item[]): string {
  return items
    .map((item) => {
      if (!isGroup(item)) return item.kind === "sign" ? signOf(item) : ` ${item.text} `;
      const [opens, closes] = WRITTEN[item.kind];
      return ` ${opens}${writtenOut(item.items)}${closes} `;
    })
    .join("");
}
