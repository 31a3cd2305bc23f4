/**
 * What a top-level chunk of C adds to the names of its unit, if that is all it
 * does: an *inert* chunk makes no code and no data, and means nothing to code
 * that uses none of its names.
 *
 * Inert are declarations of functions, external and static variables, typedefs,
 * types, and functions that are `static inline`; with GCC and optimization, what
 * is static and not used is not emitted. All else is not, and neither is what
 * is not understood.
 */
import { hasAttribute, isHarmless } from "./attributes.ts";
import { blockScopeNames } from "./block-scope.ts";
import { declaratorsOf } from "./declarators.ts";
import { type Group, grouped, type Item, isGroup, signOf, wordOf } from "./grouped.ts";
import { isImplied } from "./implied.ts";
import { tokensOf } from "./tokens.ts";
import { typesIn } from "./type-names.ts";

/** What an inert chunk brings; it takes nothing from the unit. */
export interface Declaration {
  /** Variables, functions, typedefs, enumerators, and tags that it defines. */
  readonly names: readonly string[];
  /** Tags that it only mentions: it declares those that are not declared before it. */
  readonly tags: readonly string[];
}

const STRANGE = new Set(["_Static_assert", "static_assert", "register", "auto", "_Thread_local", "__label__"]);

const VOLATILE = new Set(["volatile", "__volatile__", "__volatile"]);

/** undefined for a chunk that is not inert. */
export function declarationOf(chunk: string): Declaration | undefined {
  const items = grouped(tokensOf(chunk));
  if (items === undefined || !isPlain(items)) return undefined;
  const last = items[items.length - 1];
  if (signOf(last) === ";") return declared(items.slice(0, -1), undefined);
  if (isGroup(last) && last.kind === "{}") return declared(items.slice(0, -1), last);
  return undefined;
}

function declared(head: readonly Item[], body: Group | undefined): Declaration | undefined {
  if (head.some((item) => item.kind === "asm" || STRANGE.has(wordOf(item)))) return undefined;
  const types = typesIn(head);
  const declarators = declaratorsOf(head);
  if (types === undefined || declarators === undefined) return undefined;
  const { storage, isInline } = declarators;
  // Of a static variable, either makes data that is not left out.
  const isKept = head.some(
    (item) => VOLATILE.has(wordOf(item)) || (item.kind === "attribute" && hasAttribute(item.items, "section")),
  );
  for (const { kind, isInitialized } of declarators.all) {
    const isBody = body !== undefined;
    if (isBody && !(kind === "function" && storage === "static" && isInline)) return undefined;
    if (storage === "typedef" || isBody) continue;
    if (isInitialized && storage !== "static") return undefined;
    if (kind === "function") continue;
    if (storage === "none" || (storage === "static" && isKept)) return undefined;
  }
  if (body !== undefined && declarators.all.length !== 1) return undefined;
  const names = [...types.names, ...declarators.all.map(({ name }) => name)];
  if (body !== undefined) names.push(...blockScopeNames(body.items));
  return names.some(isImplied) ? undefined : { names, tags: types.tags };
}

/** At any depth: no pragma but for diagnostics, and no attribute that does something by itself. */
function isPlain(items: readonly Item[]): boolean {
  return items.every((item, i) => {
    if (item.kind === "pragma") return /^#\s*pragma\s+GCC\s+diagnostic\b/.test(item.text);
    if (item.kind === "attribute") return isHarmless(item.items);
    // [[attributes]], and words that would take an argument and have none.
    if (isGroup(item))
      return !(item.kind === "[]" && isGroup(item.items[0]) && item.items[0].kind === "[]") && isPlain(item.items);
    return !/^(__attribute(__)?|__asm(__)?|asm|__typeof(__)?|typeof)$/.test(wordOf(item)) || isGroup(items[i + 1]);
  });
}
