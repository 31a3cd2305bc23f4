/** Text from files and processes that nobody vouches for, for a terminal or a log. */

/**
 * What moves a cursor, changes a terminal's state, or changes the order in
 * which text is shown: control characters (Unicode Cc), invisible formats such
 * as those of writing direction (Cf), line and paragraph separators (Zl, Zp).
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The text with each unsafe character as an escape; newlines and tabs stay. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) =>
    character === "\n" || character === "\t" ? character : escaped(character),
  );
}

/** The same for what has to stay one line: newlines are escaped too. */
export function printableLine(text: string): string {
  return text.replace(UNSAFE, (character) => (character === "\t" ? character : escaped(character)));
}

/** A JSON document whose strings have no unsafe character either; what it says is the same. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE, (character) => {
    if (character === "\n") return character;
    return [...Array(character.length).keys()]
      .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`)
      .join("");
  });
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}
