/** The tokens of one chunk of preprocessed C. */

/** One token of a text that the preprocessor has been through. */
export interface Token {
  readonly kind: "word" | "number" | "text" | "pragma" | "sign";
  /** As written; of signs one character each. */
  readonly text: string;
}

// What is not ASCII, and $, are letters, as they are when a text is cut.
const TOKEN =
  /\s+|(#[^\n]*)|([A-Za-z_$\x80-\xff][\w$\x80-\xff]*)|(\.?\d(?:[eEpP][+-]|[\w$.\x80-\xff])*)|("[^"\\]*(?:\\[\s\S][^"\\]*)*"|'[^'\\]*(?:\\[\s\S][^'\\]*)*')|([\s\S])/g;

/** @param text of a chunk that was cut from a whole text: its strings and brackets end */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const [, pragma, word, number, quoted, sign] of text.matchAll(TOKEN)) {
    if (word !== undefined) tokens.push({ kind: "word", text: word });
    else if (sign !== undefined) tokens.push({ kind: "sign", text: sign });
    else if (number !== undefined) tokens.push({ kind: "number", text: number });
    else if (quoted !== undefined) tokens.push({ kind: "text", text: quoted });
    else if (pragma !== undefined) tokens.push({ kind: "pragma", text: pragma });
  }
  return tokens;
}
