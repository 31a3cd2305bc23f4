/** A source as it was written, without what never reaches a token: comments, and the ends of lines that go on. */

const code = (character: string): number => character.charCodeAt(0);
const [NEWLINE, RETURN, BACKSLASH, SLASH, STAR] = [code("\n"), code("\r"), code("\\"), code("/"), code("*")];
const [QUOTE, APOSTROPHE, BLANK] = [code('"'), code("'"), code(" ")];

/**
 * Lines that end in a backslash are joined, and each comment is a blank (C11 5.1.1.2, phases 2 and 3). Where a
 * quote is not closed in its line, as in the words of an `#error`, what comes after it on that line stays, comments
 * with it: more is kept than tokens are made of, never less.
 */
export function plainText(bytes: Uint8Array): Buffer {
  const joined = joinLines(bytes);
  const out = Buffer.allocUnsafe(joined.length);
  let written = 0;
  let at = 0;
  const end = joined.length;
  while (at < end) {
    const byte = joined[at] as number;
    if (byte === SLASH && joined[at + 1] === STAR) {
      const close = joined.indexOf("*/", at + 2);
      if (close >= 0) {
        out[written++] = BLANK;
        at = close + 2;
        continue;
      }
    } else if (byte === SLASH && joined[at + 1] === SLASH) {
      while (at < end && joined[at] !== NEWLINE) at++;
      continue;
    } else if (byte === QUOTE || byte === APOSTROPHE) {
      out[written++] = byte;
      at++;
      for (; at < end && joined[at] !== NEWLINE; at++) {
        const each = joined[at] as number;
        out[written++] = each;
        if (each === byte) break;
        if (each === BACKSLASH && at + 1 < end && joined[at + 1] !== NEWLINE) out[written++] = joined[++at] as number;
      }
      if (joined[at] === byte) at++;
      continue;
    }
    out[written++] = byte;
    at++;
  }
  return out.subarray(0, written);
}

function joinLines(bytes: Uint8Array): Buffer {
  const from = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!/\\[ \t]*\r?\n/.test(from.toString("latin1"))) return from;
  const out = Buffer.allocUnsafe(from.length);
  let written = 0;
  for (let at = 0; at < from.length; at++) {
    if (from[at] === BACKSLASH) {
      // GCC takes blanks between the backslash and the end of the line for nothing.
      let next = at + 1;
      while (from[next] === BLANK || from[next] === 9 || from[next] === RETURN) next++;
      if (from[next] === NEWLINE) {
        at = next;
        continue;
      }
    }
    out[written++] = from[at] as number;
  }
  return out.subarray(0, written);
}
