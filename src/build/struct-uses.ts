/**
 * How a preprocessed unit uses a struct that its own file defines: whether every
 * object of it is an automatic variable, by the text alone. What could make one
 * elsewhere, or show its bytes to somebody who has not the type, is a reason.
 */
import { cutChunks } from "./reach/chunks.ts";
import { type Token, tokensOf } from "./reach/tokens.ts";

export interface StructUses {
  /** The end of a sentence that begins with the struct's name; undefined where all objects are automatic. */
  readonly reason: string | undefined;
  /** Functions that have such a variable. */
  readonly creators: ReadonlySet<string>;
  /** All function definitions: how often each mentions which names. */
  readonly mentions: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

const QUALIFIERS = new Set(["const", "volatile"]);
const TYPEOF = new Set(["typeof", "__typeof__", "__typeof"]);
const STORAGE = new Set(["static", "extern", "typedef", "_Thread_local", "__thread", "register"]);

export function structUses(text: Buffer, tag: string): StructUses | undefined {
  const chunks = cutChunks(text);
  if (chunks === undefined) return undefined;
  const creators = new Set<string>();
  const mentions = new Map<string, Map<string, number>>();
  let reason: string | undefined;
  const users: { readonly tokens: readonly Token[]; readonly name: string | undefined }[] = [];
  /** Functions that have the type in their head. */
  const takers = new Set<string>();
  for (let i = 0; i < chunks.count; i++) {
    const tokens = tokensOf(chunks.text(i));
    const name = functionName(tokens);
    if (name !== undefined) mentions.set(name, countedWords(tokens));
    const first = tokens.findIndex((_, at) => isTag(tokens, at, tag));
    if (first < 0) continue;
    users.push({ tokens, name });
    const declared = name ?? prototypeName(tokens);
    if (declared !== undefined && isParameter(tokens, first)) takers.add(declared);
  }
  for (const { tokens, name } of users) {
    const found = usesIn(tokens, tag, name !== undefined, takers);
    reason ??= found.reason;
    if (found.isCreator && name !== undefined) creators.add(name);
  }
  return { reason, creators, mentions };
}

/** Of the function that a chunk defines. */
function functionName(tokens: readonly Token[]): string | undefined {
  if (tokens.at(-1)?.text !== "}") return undefined;
  for (let at = 0; at < tokens.length; at++) {
    const { text } = tokens[at] as Token;
    if (text === "{" || text === "=") return undefined;
    if (text !== "(") continue;
    const before = tokens[at - 1];
    if (before?.kind === "word" && !before.text.startsWith("__attribute") && !TYPEOF.has(before.text))
      return before.text;
    at = closing(tokens, at);
  }
  return undefined;
}

/** Of the function that a chunk only declares. */
function prototypeName(tokens: readonly Token[]): string | undefined {
  if (tokens.some(({ text }) => text === "{" || text === "=")) return undefined;
  const opens = tokens.findIndex(
    ({ text }, at) =>
      text === "(" && tokens[at - 1]?.kind === "word" && !tokens[at - 1]?.text.startsWith("__attribute"),
  );
  return tokens[opens - 1]?.text;
}

function countedWords(tokens: readonly Token[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { kind, text } of tokens) if (kind === "word") counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

function isTag(tokens: readonly Token[], at: number, tag: string): boolean {
  return tokens[at]?.text === "struct" && tokens[at + 1]?.text === tag;
}

/** The index of the bracket that closes the one at `from`; the last token's where it is not there. */
function closing(tokens: readonly Token[], from: number): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    const text = tokens[at]?.text ?? "";
    if (text === "(" || text === "[" || text === "{") depth++;
    else if (text === ")" || text === "]" || text === "}") depth--;
    if (depth === 0) return at;
  }
  return tokens.length - 1;
}

interface Found {
  readonly reason: string | undefined;
  readonly isCreator: boolean;
}

function usesIn(tokens: readonly Token[], tag: string, isFunction: boolean, takers: ReadonlySet<string>): Found {
  /** Variables of the struct, and pointers to it. */
  const names = new Set<string>();
  let isCreator = false;
  const because = (reason: string): Found => ({ reason, isCreator });
  for (let at = 0; at < tokens.length; at++) {
    if (!isTag(tokens, at, tag)) continue;
    const next = tokens[at + 2]?.text;
    let before = at - 1;
    while (QUALIFIERS.has(tokens[before]?.text ?? "")) before--;
    const opens = tokens[before]?.text === "(";
    const caller = opens ? tokens[before - 1]?.text : undefined;
    if (next === "{") {
      if (isFunction) return because("is defined within a function");
      const end = tokens[closing(tokens, at + 2) + 1]?.text;
      if (end !== ";" && end !== "__attribute__") return because("is defined together with something of it");
      if (tokens.slice(0, at).some(({ text }) => STORAGE.has(text))) return because("has another name");
      continue;
    }
    if (next === ";") continue;
    if (caller === "__builtin_offsetof" && next === ",") continue;
    if (caller === "sizeof" || caller === "_Alignof" || caller === "__alignof__")
      return because("is measured by its name, as who gets memory for it would");
    if (caller !== undefined && TYPEOF.has(caller)) return because("is spoken of by typeof");
    if (opens && isCast(tokens, at)) {
      if (!isHarmlessCast(tokens, closing(tokens, before) + 1))
        return because("is what other memory is taken for, by a cast");
      continue;
    }
    if (
      tokens.slice(statementStart(tokens, at), at).some(({ text }) => STORAGE.has(text)) &&
      !isParameter(tokens, at)
    ) {
      // A static function may return a pointer to it or take one, and lives nowhere.
      const declarator = tokens.slice(at + 2).findIndex(({ text }) => text === "(" || text === ";" || text === "=");
      if (tokens[at + 2 + declarator]?.text !== "(" || next !== "*")
        return because("has a variable that is not automatic");
    }
    const pointers = declarators(tokens, at + 2);
    for (const { name, isPointer } of pointers) {
      if (name !== undefined) names.add(name);
      if (isPointer) continue;
      if (!isFunction) return because("is part of another type, or has a variable that is not automatic");
      isCreator = true;
    }
    if (!isFunction && !isParameter(tokens, at) && !tokens.some(({ text }) => text === "(") && !isMember(tokens, at))
      return because("is pointed to by a variable that is not automatic");
  }
  const reason = isFunction ? (disclosure(tokens, names) ?? handedOut(tokens, tag, names, takers)) : undefined;
  return { reason, isCreator };
}

/**
 * The address of a whole object goes only to who has the type: else its bytes may
 * be kept where nobody knows it. Each mention of one has to be of a known form.
 */
function handedOut(
  tokens: readonly Token[],
  tag: string,
  names: ReadonlySet<string>,
  takers: ReadonlySet<string>,
): string | undefined {
  const head = tokens.findIndex(({ text }) => text === "(");
  const returnsIt = tokens.slice(0, head).some((_, at) => isTag(tokens, at, tag));
  for (let at = 0; at < tokens.length; at++) {
    const { text, kind } = tokens[at] as Token;
    if (kind !== "word" || !names.has(text)) continue;
    const next = tokens[at + 1]?.text ?? "";
    // A member, of this or of something else.
    if (next === "." || next === "[" || (next === "-" && tokens[at + 2]?.text === ">")) continue;
    if (tokens[at - 1]?.text === "." || (tokens[at - 1]?.text === ">" && tokens[at - 2]?.text === "-")) continue;
    // It is assigned to, or compared.
    if (next === "=" || (next === "!" && tokens[at + 2]?.text === "=")) continue;
    let before = at - 1;
    while (["&", "("].includes(tokens[before]?.text ?? "") || isCastEnd(tokens, before)) {
      if (tokens[before]?.text === "(" && tokens[before - 1]?.kind === "word") break;
      before = tokens[before]?.text === ")" ? opening(tokens, before) - 1 : before - 1;
    }
    const reason = reasonAt(tokens, before, names, takers, returnsIt);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** Of a mention that the token at `before` comes before. */
function reasonAt(
  tokens: readonly Token[],
  before: number,
  names: ReadonlySet<string>,
  takers: ReadonlySet<string>,
  returnsIt: boolean,
): string | undefined {
  const sign = tokens[before];
  const last = tokens[before - 1];
  switch (sign?.text) {
    case "=": {
      if (["=", "!", "<", ">"].includes(last?.text ?? "")) return undefined;
      if (last?.kind === "word" && names.has(last.text)) return undefined;
      return `is pointed to by ${last?.kind === "word" ? last.text : "something"}, which has not its type`;
    }
    case "(":
    case ",": {
      const callee = calleeOf(tokens, before);
      if (callee === undefined || takers.has(callee) || NO_CALL.has(callee)) return undefined;
      return `is handed to ${callee}, which has not its type`;
    }
    case "return":
      return returnsIt ? undefined : "is returned as something of another type";
    case "*":
    case "!":
    case ";":
    case "{":
    case "}":
    case undefined:
      return undefined;
    case "<":
    case ">":
    case "|":
      return undefined;
    default:
      // In a declaration a type or an attribute comes before, in a condition another operand.
      return sign?.kind === "word" ? undefined : "is used in a form that is not known";
  }
}

const NO_CALL = new Set([
  "if",
  "while",
  "for",
  "switch",
  "return",
  "sizeof",
  "typeof",
  "__typeof__",
  "__builtin_offsetof",
]);

/** `(void *)` and the like. */
function isCastEnd(tokens: readonly Token[], at: number): boolean {
  return tokens[at]?.text === ")" && tokens[at - 1]?.text === "*";
}

/** The index of the bracket that the one at `from` closes. */
function opening(tokens: readonly Token[], from: number): number {
  let depth = 0;
  for (let at = from; at >= 0; at--) {
    const text = tokens[at]?.text ?? "";
    if (text === ")" || text === "]" || text === "}") depth++;
    else if (text === "(" || text === "[" || text === "{") depth--;
    if (depth === 0) return at;
  }
  return 0;
}

/** The word before the bracket that the token is within. */
function calleeOf(tokens: readonly Token[], from: number): string | undefined {
  let depth = 0;
  for (let at = from; at >= 0; at--) {
    const text = tokens[at]?.text ?? "";
    if (text === ")" || text === "]" || text === "}") depth++;
    else if (text === "{" || text === "[" || text === ";") {
      if (depth === 0) return undefined;
      if (text !== ";") depth--;
    } else if (text === "(") {
      if (depth === 0) return tokens[at - 1]?.kind === "word" ? tokens[at - 1]?.text : undefined;
      depth--;
    }
  }
  return undefined;
}

/** Where the statement or declaration begins that the token is part of. */
function statementStart(tokens: readonly Token[], at: number): number {
  let depth = 0;
  for (let i = at - 1; i >= 0; i--) {
    const text = tokens[i]?.text;
    if (text === ")" || text === "]") depth++;
    else if (text === "(" || text === "[") {
      if (depth === 0) return i + 1;
      depth--;
    } else if (depth === 0 && (text === ";" || text === "{" || text === "}")) return i + 1;
  }
  return 0;
}

/** `(struct tag *)`, with more asterisks and qualifiers. */
function isCast(tokens: readonly Token[], at: number): boolean {
  let end = at + 2;
  while (tokens[end]?.text === "*" || QUALIFIERS.has(tokens[end]?.text ?? "")) end++;
  return end > at + 2 && tokens[end]?.text === ")";
}

/** What container_of makes of a member's address, or what only types are taken of; in a prototype it is no cast. */
function isHarmlessCast(tokens: readonly Token[], after: number): boolean {
  const [a, b, c] = [tokens[after]?.text, tokens[after + 1]?.text, tokens[after + 2]?.text];
  return a === "0" || a === ";" || a === "," || (a === "(" && b === "__mptr" && c === "-");
}

function isParameter(tokens: readonly Token[], at: number): boolean {
  let depth = 0;
  for (let i = at - 1; i >= 0; i--) {
    const text = tokens[i]?.text;
    if (text === ")" || text === "}") depth++;
    else if (text === "{" || text === ";") {
      if (depth === 0) return false;
      depth--;
    } else if (text === "(" && depth-- === 0) return true;
  }
  return false;
}

/** Of a struct or union that the chunk defines. */
function isMember(tokens: readonly Token[], at: number): boolean {
  let depth = 0;
  for (const { text } of tokens.slice(0, at)) depth += text === "{" ? 1 : text === "}" ? -1 : 0;
  return depth > 0;
}

/** Up to the end of the declaration or parameter. */
function declarators(tokens: readonly Token[], from: number): { name: string | undefined; isPointer: boolean }[] {
  const found: { name: string | undefined; isPointer: boolean }[] = [];
  const end = (text: string | undefined) => text === ";" || text === ")" || text === undefined || text === "{";
  for (let at = from; ; at++) {
    while (QUALIFIERS.has(tokens[at]?.text ?? "")) at++;
    const isPointer = tokens[at]?.text === "*";
    while (tokens[at]?.text === "*" || QUALIFIERS.has(tokens[at]?.text ?? "")) at++;
    const token = tokens[at];
    found.push({ name: token?.kind === "word" ? token.text : undefined, isPointer });
    while (!end(tokens[at]?.text) && tokens[at]?.text !== ",") {
      const text = tokens[at]?.text ?? "";
      at = text === "(" || text === "[" ? closing(tokens, at) + 1 : at + 1;
      if (text === "=") at = initializerEnd(tokens, at);
    }
    // What follows a comma is another parameter in a list of them, with a type of its own.
    if (tokens[at]?.text !== "," || isParameter(tokens, from)) return found;
  }
}

function initializerEnd(tokens: readonly Token[], from: number): number {
  let at = from;
  while (at < tokens.length && ![",", ";", ")"].includes(tokens[at]?.text ?? ";"))
    at = ["(", "[", "{"].includes(tokens[at]?.text ?? "") ? closing(tokens, at) + 1 : at + 1;
  return at;
}

/** Where the size of an object is taken, its bytes may go where nobody knows the type; so may those behind a cast by typeof. */
function disclosure(tokens: readonly Token[], names: ReadonlySet<string>): string | undefined {
  for (let at = 0; at < tokens.length; at++) {
    const { text } = tokens[at] as Token;
    const isSize = text === "sizeof";
    if (!isSize && !TYPEOF.has(text)) continue;
    const opens = tokens[at + 1]?.text === "(";
    const end = opens ? closing(tokens, at + 1) : at + 3;
    if (!tokens.slice(at + 1, end + 1).some(({ kind, text: word }) => kind === "word" && names.has(word))) continue;
    // The size of a member is no concern of the struct's.
    const isMemberOf = tokens
      .slice(at + 1, end)
      .some(({ text: sign }, i, all) => sign === "." || (sign === "-" && all[i + 1]?.text === ">"));
    if (isMemberOf) continue;
    if (isSize) return "has its size taken, as who copies its bytes would";
    if (tokens[end + 1]?.text === "*" && tokens[end + 2]?.text === ")" && !isHarmlessCast(tokens, end + 3))
      return "is what other memory is taken for, by a cast";
  }
  return undefined;
}
