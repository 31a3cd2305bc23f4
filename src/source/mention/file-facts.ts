/** What is kept of each file's text, so that those in which a name may be are found without reading all. */
import { namesHarmless } from "../reach/attributes.ts";
import { nameHash } from "../reach/name-hash.ts";
import { isCounting } from "./macro-effects.ts";
import { bodyTokens, isBalanced, isWord, type Macro, macrosIn } from "./macros.ts";
import { plainText } from "./plain-text.ts";
import { wordHashes } from "./words.ts";

/** Of one file. */
export interface FileFacts {
  /** Hashes of all its words, in order. */
  readonly words: Int32Array;
  /** Hashes of the macros that it defines. */
  readonly defines: Int32Array;
  /** Macros in which a bracket is open or closed that is not opened or closed there. */
  readonly unbalanced: readonly string[];
  /** Whether it has what is looked at nowhere: then it counts as having every name. */
  readonly isStrange: boolean;
}

/** @param bytes the file as it is */
export function factsOf(bytes: Uint8Array): FileFacts {
  const plain = plainText(bytes);
  const text = plain.toString("latin1");
  const macros = text.includes("define") ? macrosIn(text) : [];
  return {
    words: wordHashes(plain),
    defines: Int32Array.from(new Set(macros.map(({ name }) => nameHash(name)))).sort(),
    unbalanced: macros.filter(({ body }) => !isBalanced(body)).map(({ name }) => name),
    isStrange: isStrange(text, macros),
  };
}

/**
 * Digraphs, raw strings, identifiers by numbers; a number that counts for more than a name; an alias that is put
 * together; a harmless attribute's name for another word.
 */
function isStrange(text: string, macros: readonly Macro[]): boolean {
  if (/%:|\\u|\?\?[=/]|\b(u8|[uUL])?R"/.test(text)) {
    const outside = text.replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
    if (/%:|\\u|\?\?[=/]|R"/.test(outside)) return true;
  }
  if (macros.some(({ name, body }) => namesHarmless(name) && mayNameAttribute(body))) return true;
  if (text.includes("__COUNTER__")) {
    const counting = macros.filter(({ body }) => body.includes("__COUNTER__"));
    const uses = bodyTokens(text).filter((token) => token === "__COUNTER__").length;
    const known = counting
      .filter(isCounting)
      .flatMap(({ body }) => body)
      .filter((token) => token === "__COUNTER__").length;
    if (uses !== known) return true;
  }
  return [...text.matchAll(ALIAS)].some(([, argument, word = ""]) =>
    argument === undefined ? word.includes('"') : !PLAIN_ALIAS.test(argument),
  );
}

function mayNameAttribute(body: readonly string[]): boolean {
  const [first] = body;
  if (!isWord(first) || first.startsWith("__attribute") || namesHarmless(first.replace(/^_+|_+$/g, ""))) return false;
  return body.every((token) => /^[\w(),"]/.test(token));
}

const ALIAS = /\b(?:alias|__alias__|weakref|__weakref__|ifunc|__ifunc__)\s*\(([^\n]*)|\b__alias\s*\(([^)\n]*)/g;
const PLAIN_ALIAS = /^\s*(?:"\w*"\s*\)|#\s*\w+\s*\)|__stringify\s*\()/;

/** The identifiers outside of directives, each once. */
export function codeWords(plain: string): string[] {
  return [...new Set(bodyTokens(plain.replace(/^[^\S\n]*#[^\n]*$/gm, "")).filter(isWord))];
}
