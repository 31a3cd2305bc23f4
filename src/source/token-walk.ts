/** Ways around in the tokens of a chunk of preprocessed C. */
import type { Token } from "./reach/tokens.ts";

/** Words that say how an object may be used, and nothing of what it is. */
export const QUALIFIERS: ReadonlySet<string> = new Set(["const", "volatile"]);
/** The spellings of typeof, gcc's and C23's. */
export const TYPEOF: ReadonlySet<string> = new Set(["typeof", "__typeof__", "__typeof"]);

/** Whether `struct TAG` stands there. */
export function isTag(tokens: readonly Token[], at: number, tag: string): boolean {
  return tokens[at]?.text === "struct" && tokens[at + 1]?.text === tag;
}

/** The index of the bracket that closes the one at `from`; the last token's where it is not there. */
export function closing(tokens: readonly Token[], from: number): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    const text = tokens[at]?.text ?? "";
    if (text === "(" || text === "[" || text === "{") depth++;
    else if (text === ")" || text === "]" || text === "}") depth--;
    if (depth === 0) return at;
  }
  return tokens.length - 1;
}

/** Where the statement or declaration begins that the token is part of. */
export function statementStart(tokens: readonly Token[], at: number): number {
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

/** The index of the bracket that the one at `from` closes. */
export function opening(tokens: readonly Token[], from: number): number {
  let depth = 0;
  for (let at = from; at >= 0; at--) {
    const text = tokens[at]?.text ?? "";
    if (text === ")" || text === "]" || text === "}") depth++;
    else if (text === "(" || text === "[" || text === "{") depth--;
    if (depth === 0) return at;
  }
  return 0;
}

/** What container_of makes of a member's address, or what only types are taken of; in a prototype it is no cast. */
export function isHarmlessCast(tokens: readonly Token[], after: number): boolean {
  const [a, b, c] = [tokens[after]?.text, tokens[after + 1]?.text, tokens[after + 2]?.text];
  if (a === "(" && b === "__mptr" && c === "-") return true;
  return a === "0" || a === ";" || a === "," || isMemberLess(tokens, after);
}

/** `(struct s *)((void *)(p) - __builtin_offsetof(struct s, member))`, as 7.3 has it. @param after the cast */
function isMemberLess(tokens: readonly Token[], after: number): boolean {
  const texts = (from: number, count: number) => tokens.slice(from, from + count).map(({ text }) => text);
  if (texts(after, 6).join(" ") !== "( ( void * ) (") return false;
  const less = closing(tokens, after + 5) + 1;
  const [minus, offsetOf, opens, kind, tag] = texts(less, 5);
  const cast = texts(opening(tokens, after - 1), after);
  return (
    minus === "-" && offsetOf === "__builtin_offsetof" && opens === "(" && cast[cast.indexOf(kind ?? "") + 1] === tag
  );
}
