/**
 * How a preprocessed unit uses a struct that its own file defines: whether every
 * object of it is an automatic variable, by the text alone. What could make one
 * elsewhere, or show its bytes to somebody who has not the type, is a reason.
 */
import { cutChunks } from "./reach/chunks.ts";
import { type Token, tokensOf } from "./reach/tokens.ts";
import { disclosure, handedOut } from "./struct-escapes.ts";
import { closing, isHarmlessCast, isTag, QUALIFIERS, statementStart, TYPEOF } from "./token-walk.ts";

/** What one unit does with the struct. Names in `creators` are keys of `mentions`. */
export interface StructUses {
  /** The end of a sentence that begins with the struct's name; undefined where all objects are automatic. */
  readonly reason: string | undefined;
  /** Functions that have such a variable. */
  readonly creators: ReadonlySet<string>;
  /** All function definitions: how often each mentions which names. */
  readonly mentions: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

const STORAGE = new Set(["static", "extern", "typedef", "_Thread_local", "__thread", "register"]);

/** undefined where the text cannot be cut into declarations, so that nothing is known. */
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

/** `(struct tag *)`, with more asterisks and qualifiers. */
function isCast(tokens: readonly Token[], at: number): boolean {
  let end = at + 2;
  while (tokens[end]?.text === "*" || QUALIFIERS.has(tokens[end]?.text ?? "")) end++;
  return end > at + 2 && tokens[end]?.text === ")";
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
