/** Names of members, which are in a name space of their own (C11 6.2.3). */
import { type Token, tokensOf } from "../reach/tokens.ts";

/**
 * Whether a text has these names as names of members alone, in structures and unions that it declares: neither a
 * variable, a function, a type nor a macro with arguments of such a name changes what it is.
 */
export function namesMembersAlone(text: string, names: ReadonlySet<string>): boolean {
  const tokens = tokensOf(text);
  const open: ("members" | "other")[] = [];
  for (const [i, token] of tokens.entries()) {
    if (token.kind === "sign") {
      if (/[([{]/.test(token.text)) open.push(token.text === "{" && opensMembers(tokens, i) ? "members" : "other");
      else if (/[)\]}]/.test(token.text)) open.pop();
    } else if (token.kind === "word") {
      if (names.has(token.text) && !(open.at(-1) === "members" && isDeclarator(tokens, i))) return false;
    } else if (token.kind !== "number" && [...names].some((name) => token.text.includes(name))) return false;
  }
  return true;
}

function opensMembers(tokens: readonly Token[], at: number): boolean {
  const [before, tag] = [tokens[at - 1]?.text ?? "", tokens[at - 2]?.text ?? ""];
  return /^(struct|union)$/.test(before) || (tokens[at - 1]?.kind === "word" && /^(struct|union)$/.test(tag));
}

const NO_TYPE = /^(struct|union|enum|const|volatile|__attribute__|typeof|__typeof__)$/;

/** A name after a type, a star or a comma, and before what ends it. */
function isDeclarator(tokens: readonly Token[], at: number): boolean {
  const [before, after] = [tokens[at - 1], tokens[at + 1]];
  if (before === undefined || after?.kind !== "sign" || !/[;,:[]/.test(after.text)) return false;
  return before.kind === "word" ? !NO_TYPE.test(before.text) : /^[*,]$/.test(before.text);
}
