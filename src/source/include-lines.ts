/** What a file's text says of the files that a compiler reads with it. */

/** Names as they are written: where each leads depends on who reads the file. */
export interface FileReads {
  /** By `#include` and its kin, and by `__has_include`. */
  readonly names: readonly { readonly name: string; readonly isQuoted: boolean; readonly isNext: boolean }[];
  /** By the assembler's `.incbin` and `.include`, and by `#embed`. */
  readonly embedded: readonly string[];
  /** The words of includes whose name a macro makes; the empty one where words may be pasted together. */
  readonly computed: readonly string[];
}

/** Blanks as the preprocessor sees them in a directive. */
const BLANK = String.raw`(?:[ \t\f\v]|/\*(?:[^*]|\*(?!/))*\*/)*`;
const DIRECTIVE = `^${BLANK}(?:#|%:)${BLANK}`;
const INCLUDE = new RegExp(
  String.raw`${DIRECTIVE}(?:include(_next)?|import)${BLANK}(?:"([^"\n]+)"|<([^>\n]+)>|([^\n]*))`,
  "gm",
);
const HAS_INCLUDE = /\b__has_include(?:_next)?(?:__)?\s*\(\s*(?:"([^"\n]+)"|<([^>\n]+)>)/g;
const EMBEDDED = /(?:\.(?:incbin|include)\b[^"\n\\]*\\?|#[ \t]*embed[ \t]*)["<]([^"\n\\>]+)/g;

/** By the text alone: what stands in comments and in branches that are not taken counts as well. */
export function readsOf(text: string): FileReads {
  const joined = text.includes("\\\n") ? text.replace(/\\\r?\n/g, "") : text;
  const names: FileReads["names"][number][] = [];
  const computed = new Set<string>();
  if (joined.includes("include") || joined.includes("import"))
    for (const [, next, quoted, angled, other] of joined.matchAll(INCLUDE)) {
      const name = quoted ?? angled;
      if (name !== undefined) names.push({ name, isQuoted: quoted !== undefined, isNext: next !== undefined });
      else for (const word of wordsOf(other ?? "")) computed.add(word);
    }
  if (joined.includes("__has_include"))
    for (const [, quoted, angled] of joined.matchAll(HAS_INCLUDE))
      names.push({ name: quoted ?? angled ?? "", isQuoted: quoted !== undefined, isNext: false });
  const embedded = [...joined.matchAll(EMBEDDED)].map(([, name = ""]) => name);
  return { names, embedded, computed: [...computed] };
}

/** Each definition that a text has of macros of these names: the name, and the words that it is defined as. */
export function definedAs(text: string, names: readonly string[]): (readonly [name: string, words: string[]])[] {
  const { near, whole } = definitionsOf(names);
  if (!near.test(text)) return [];
  const found = text.replace(/\\\r?\n/g, "").matchAll(whole);
  return [...found].map(([, name = "", body = ""]) => [name, wordsOf(body)]);
}

interface Definitions {
  readonly names: readonly string[];
  /** Whether there may be one. */
  readonly near: RegExp;
  readonly whole: RegExp;
}

let last: Definitions | undefined;

function definitionsOf(names: readonly string[]): Definitions {
  if (last?.names !== names) {
    const any = names.filter((name) => /^[A-Za-z_]\w*$/.test(name)).join("|") || "$^";
    const near = new RegExp(String.raw`define[\s\\]+(?:${any})\b`);
    last = { names, near, whole: new RegExp(String.raw`${DIRECTIVE}define[ \t]+(${any})\b([^\n]*)`, "gm") };
  }
  return last;
}

/** The words of a text, endings of names with their dot too, and the empty one where some of it is pasted together. */
export function wordsOf(text: string): string[] {
  const words = new Set(
    text.match(/\.?\w+/g)?.flatMap((word) => (word.startsWith(".") ? [word, word.slice(1)] : word)),
  );
  return text.includes("##") ? [...words, ""] : [...words];
}
