/** Whether the bytes of a struct's objects may get to where nobody knows the type, by what a function does with them. */
import type { Token } from "./reach/tokens.ts";
import { closing, isHarmlessCast, isTag, opening, QUALIFIERS, statementStart, TYPEOF } from "./token-walk.ts";

/**
 * The address of a whole object goes only to who has the type: else its bytes may
 * be kept where nobody knows it. Each mention of one has to be of a known form.
 */
export function handedOut(
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
    const end = next === "[" ? closing(tokens, at + 1) : at;
    const behind = tokens[end + 1]?.text;
    if (behind === "." || (behind === "-" && tokens[end + 2]?.text === ">")) continue;
    if (tokens[at - 1]?.text === "." || (tokens[at - 1]?.text === ">" && tokens[at - 2]?.text === "-")) continue;
    // It is assigned to, or compared.
    if (behind === "=" || (behind === "!" && tokens[end + 2]?.text === "=")) continue;
    let before = at - 1;
    while (["&", "("].includes(tokens[before]?.text ?? "") || isCastEnd(tokens, before)) {
      if (tokens[before]?.text === "(" && tokens[before - 1]?.kind === "word") break;
      before = tokens[before]?.text === ")" ? opening(tokens, before) - 1 : before - 1;
    }
    if (isTag(tokens, statementStart(tokens, at) + qualifiersAt(tokens, statementStart(tokens, at)), tag)) {
      // A declaration of it: what it begins with is checked, as it is an assignment.
      if (tokens[before]?.text !== "=") continue;
    }
    const reason = reasonAt(tokens, before, { names, takers, returnsIt });
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function qualifiersAt(tokens: readonly Token[], from: number): number {
  let at = from;
  while (QUALIFIERS.has(tokens[at]?.text ?? "")) at++;
  return at - from;
}

interface Known {
  readonly names: ReadonlySet<string>;
  readonly takers: ReadonlySet<string>;
  readonly returnsIt: boolean;
}

/** Of a mention that the token at `before` comes before. */
function reasonAt(tokens: readonly Token[], before: number, { names, takers, returnsIt }: Known): string | undefined {
  const sign = tokens[before];
  const last = tokens[before - 1];
  switch (sign?.text) {
    case "=": {
      if (["=", "!", "<", ">"].includes(last?.text ?? "")) return undefined;
      if (last?.kind === "word" && names.has(last.text)) return undefined;
      return `is pointed to by ${last?.kind === "word" ? last.text : "something"}, which is not seen to be a local variable of its type`;
    }
    case "(":
    case ",": {
      const callee = calleeOf(tokens, before);
      if (callee === undefined) return "is part of an initializer";
      if (takers.has(callee) || NO_CALL.has(callee)) return undefined;
      return `is handed to ${callee}, which is not seen to take its type`;
    }
    case "return":
      return returnsIt ? undefined : "is returned as something of another type";
    case "*":
    case "!":
    case ";":
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

/** Where the size of an object is taken, its bytes may go where nobody knows the type; so may those behind a cast by typeof. */
export function disclosure(tokens: readonly Token[], names: ReadonlySet<string>): string | undefined {
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
