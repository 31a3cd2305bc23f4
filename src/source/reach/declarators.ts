/** What a declaration declares beside types: its declarators, and how it says to store them. */
import { type Item, isGroup, signOf, wordOf } from "./grouped.ts";
import { typeAt } from "./type-names.ts";

/** One of the things that a declaration declares. */
export interface Declarator {
  readonly name: string;
  /** `other`: a variable, a typedef; by their form alone, not all functions look like one. */
  readonly kind: "function" | "other";
  readonly isInitialized: boolean;
}

/** What stands in a declaration beside its type. */
export interface Declarators {
  readonly storage: "none" | "extern" | "static" | "typedef";
  readonly isInline: boolean;
  readonly all: readonly Declarator[];
}

const INLINE = new Set(["inline", "__inline", "__inline__"]);
const HEADS = new Set(["struct", "union", "enum"]);
const QUALIFIERS = new Set(
  (
    "const volatile restrict __const __const__ __volatile __volatile__ __restrict __restrict__ __extension__ " +
    "_Noreturn __thread extern static typedef inline __inline __inline__"
  ).split(" "),
);
/** Not the name of anything. */
const KEYWORDS = new Set([
  ...QUALIFIERS,
  ...(
    "void char short int long float double signed unsigned __signed __signed__ _Bool _Complex __complex__ __int128 " +
    "__int128_t __uint128_t __builtin_va_list __auto_type struct union enum if else for while do switch case default " +
    "goto return break continue sizeof _Alignof __alignof__ __alignof _Generic __builtin_offsetof " +
    "__builtin_types_compatible_p"
  ).split(" "),
]);

/** @param items of a declaration, without its `;` or its body; undefined where they are not understood */
export function declaratorsOf(items: readonly Item[]): Declarators | undefined {
  const words = new Set(items.map(wordOf));
  const storages = (["extern", "static", "typedef"] as const).filter((word) => words.has(word));
  if (storages.length > 1) return undefined;
  const storage = storages[0] ?? "none";
  const isInline = [...INLINE].some((word) => words.has(word));
  const all: Declarator[] = [];
  const plain = items.filter(({ kind }) => kind !== "attribute" && kind !== "pragma");
  for (const [i, part] of partsOf(plain).entries()) {
    const { items: rest, hasType } = i === 0 ? withoutTypes(part) : { items: part, hasType: false };
    // Nothing but types.
    if (hasType && i === 0 && rest.every((item) => QUALIFIERS.has(wordOf(item)))) continue;
    if (part.length === 0 && plain.length === 0) continue;
    const declarator = declaratorIn(rest, storage);
    if (declarator === undefined) return undefined;
    all.push(declarator);
  }
  return { storage, isInline, all };
}

/** Between the commas. */
function partsOf(items: readonly Item[]): Item[][] {
  const parts: Item[][] = [[]];
  for (const item of items) {
    if (signOf(item) === ",") parts.push([]);
    else (parts[parts.length - 1] as Item[]).push(item);
  }
  return parts;
}

function withoutTypes(items: readonly Item[]) {
  const rest: Item[] = [];
  let hasType = false;
  for (let i = 0; i < items.length; i++) {
    const item = items[i] as Item;
    if (signOf(item) === "=") {
      rest.push(...items.slice(i));
      break;
    }
    if (HEADS.has(wordOf(item))) {
      i = typeAt(items, i).end - 1;
      hasType = true;
    } else rest.push(item);
  }
  return { items: rest, hasType };
}

function declaratorIn(items: readonly Item[], storage: Declarators["storage"]): Declarator | undefined {
  const equals = items.findIndex((item) => signOf(item) === "=");
  const isInitialized = equals >= 0;
  const form = isInitialized ? items.slice(0, equals) : [...items];
  while (isArray(form[form.length - 1])) form.pop();
  // Stars and words alone before the name.
  const isForeign = (item: Item): boolean =>
    !(item.kind === "word" || item.kind === "type" || signOf(item) === "*" || (isGroup(item) && item.kind === "()"));
  if (form.some(isForeign)) return undefined;
  const last = form[form.length - 1];
  if (!isGroup(last)) return named(last, "other", isInitialized);
  if (last.kind !== "()") return undefined;
  const before = form[form.length - 2];
  if (form.slice(0, -2).some((item) => isGroup(item) && item.kind === "()")) return undefined;
  if (!isGroup(before)) return named(before, "function", isInitialized);
  // (*name)(...): a pointer, or the type of one.
  if (before.kind !== "()" || storage === "none") return undefined;
  const inner = before.items.filter(({ kind }) => kind !== "attribute");
  while (isArray(inner[inner.length - 1])) inner.pop();
  const name = inner.pop();
  if (!inner.every((item) => signOf(item) === "*" || QUALIFIERS.has(wordOf(item)))) return undefined;
  return named(name, "other", isInitialized);
}

function named(item: Item | undefined, kind: Declarator["kind"], isInitialized: boolean): Declarator | undefined {
  const name = wordOf(item);
  return name === "" || KEYWORDS.has(name) ? undefined : { name, kind, isInitialized };
}

function isArray(item: Item | undefined): boolean {
  return isGroup(item) && item.kind === "[]";
}
