/** The classes of bytes that C's tokens begin with. */

/** Class of bytes that separate tokens and are none. */
export const SPACE = 1;
/** Begins an identifier; what is not ASCII does too. */
export const WORD = 2;
/** Class of bytes that a number begins with. */
export const DIGIT = 3;
/** Punctuation and quotes. */
export const OTHER = 4;

/** By byte; 0 for one that C's text does not have. */
export const CHARACTER: Uint8Array = (() => {
  const classes = new Uint8Array(256);
  const set = (characters: string, kind: number): void => {
    for (const character of characters) classes[character.charCodeAt(0)] = kind;
  };
  set(" \t\n\r\f\v", SPACE);
  set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$", WORD);
  set("0123456789", DIGIT);
  set("!\"#%&'()*+,-./:;<=>?[\\]^{|}~@", OTHER);
  classes.fill(WORD, 128);
  return classes;
})();

/** `byte` is 0 to 255. */
export function isSpace(byte: number): boolean {
  return CHARACTER[byte] === SPACE;
}

/** Whether a byte belongs to the preprocessing number before it (C11 6.4.8), whose last byte is `previous`. */
export function continuesNumber(byte: number | undefined, previous: number): boolean {
  if (byte === undefined) return false;
  const kind = CHARACTER[byte];
  if (kind === WORD || kind === DIGIT || byte === 0x2e) return true;
  const isExponent = "eEpP".includes(String.fromCharCode(previous));
  return isExponent && (byte === 0x2b || byte === 0x2d);
}
