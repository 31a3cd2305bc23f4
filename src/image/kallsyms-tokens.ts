/** What the bytes of a compressed kernel symbol name stand for. */
import { aligned, type Rodata } from "./rodata.ts";

const TOKENS = 256;
/** KSYM_NAME_LEN: no token is longer than a name. */
const MAX_TOKEN = 512;

export interface Tokens {
  /** token_table's offset in .rodata. */
  readonly start: number;
  /** token_index's end, unaligned. */
  readonly end: number;
  readonly texts: readonly string[];
}

/**
 * token_index holds 256 increasing 16-bit offsets, the first 0, into the
 * token_table before it: 256 strings, each ended by a zero byte.
 */
export function findTokens({ data, little }: Rodata): Tokens | undefined {
  const index = new Uint16Array(TOKENS);
  for (let at = 0; at + 2 * TOKENS <= data.length; at += 8) {
    if (data[at] !== 0 || data[at + 1] !== 0) continue;
    let i = 1;
    for (; i < TOKENS; i++) {
      const low = data[at + 2 * i] as number;
      const high = data[at + 2 * i + 1] as number;
      const offset = little ? low | (high << 8) : high | (low << 8);
      const length = offset - (index[i - 1] as number);
      if (length < 1 || length > MAX_TOKEN) break;
      index[i] = offset;
    }
    if (i < TOKENS) continue;
    const tokens = tokensBefore(data, at, index);
    if (tokens !== undefined) return tokens;
  }
  return undefined;
}

function tokensBefore(data: Buffer, indexAt: number, index: Uint16Array): Tokens | undefined {
  const last = index[TOKENS - 1] as number;
  // The last string's length is not in the index: each one that ends in the
  // alignment gap or, if it is long, further up is tried.
  for (let start = indexAt - 8; start >= 0 && start >= indexAt - last - MAX_TOKEN - 8; start -= 8) {
    if (aligned(start + last + 1) > indexAt) continue;
    const texts = textsAt(data, start, index);
    if (texts === undefined) continue;
    const end = start + last + (texts[TOKENS - 1] as string).length + 1;
    if (aligned(end) === indexAt) return { start, end: indexAt + 2 * TOKENS, texts };
  }
  return undefined;
}

function textsAt(data: Buffer, start: number, index: Uint16Array): string[] | undefined {
  const texts: string[] = [];
  for (let i = 0; i < TOKENS; i++) {
    const from = start + (index[i] as number);
    const end = data.indexOf(0, from);
    if (i + 1 < TOKENS ? end !== start + (index[i + 1] as number) - 1 : end < 0) return undefined;
    texts.push(data.toString("latin1", from, end));
  }
  return texts;
}
