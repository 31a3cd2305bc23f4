/** The words of a source, by their hashes: what may be an identifier in it, in a string or outside. */
import { CHARACTER, DIGIT, WORD } from "../reach/characters.ts";

const BACKSLASH = "\\".charCodeAt(0);

/** Each once, in order; @param plain see `plainText` */
export function wordHashes(plain: Uint8Array): Int32Array {
  let found = new Int32Array(1 + (plain.length >> 2));
  let count = 0;
  const keep = (hashed: number): void => {
    if (count === found.length) {
      const more = new Int32Array(found.length * 2);
      more.set(found);
      found = more;
    }
    found[count++] = hashed;
  };
  const hashFrom = (start: number): number => {
    let hashed = 0;
    for (let i = start; isPart(plain[i]); i++) hashed = Math.imul(hashed, 31) + (plain[i] as number);
    return hashed | 0;
  };
  for (let at = 0; at < plain.length; ) {
    const kind = CHARACTER[plain[at] as number];
    if (kind === DIGIT) {
      // 0x1f, 10UL: no word, nor has it one in it.
      at++;
      while (isPart(plain[at])) at++;
      continue;
    }
    if (kind !== WORD) {
      // In a string, a word may begin behind what the backslash is for.
      if (plain[at] === BACKSLASH && isPart(plain[at + 1]) && isPart(plain[at + 2])) keep(hashFrom(at + 2));
      at++;
      continue;
    }
    let hashed = 0;
    for (; isPart(plain[at]); at++) hashed = Math.imul(hashed, 31) + (plain[at] as number);
    keep(hashed | 0);
  }
  const sorted = found.subarray(0, count).sort();
  let kept = 0;
  for (let i = 0; i < count; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[kept++] = sorted[i] as number;
  return sorted.slice(0, kept);
}

function isPart(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const kind = CHARACTER[byte];
  return kind === WORD || kind === DIGIT;
}
