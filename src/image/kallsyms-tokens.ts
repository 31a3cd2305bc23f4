/** What the bytes of a compressed kernel symbol name stand for. */
import { aligned, type Rodata } from "./rodata.ts";

const TOKENS = 256;
/** Real images have one or two. */
const MAX_FOUND = 16;
/** KSYM_NAME_LEN: no token is longer than a name. */
const MAX_TOKEN = 512;

/** The 256 texts, by the byte that stands for each, and where their two tables lie. */
export interface Tokens {
  /** token_table's offset in .rodata. */
  readonly start: number;
  /** token_index's end, unaligned. */
  readonly end: number;
  readonly texts: readonly string[];
}

/**
 * token_index holds 256 increasing 16-bit offsets, the first 0, into the
 * token_table before it: 256 strings, each ended by a zero byte. Other tables
 * that are increasing may lie behind bytes that are as many strings (those of code pages do,
 * where lld has laid out .rodata): each is given, up to a bound.
 */
export function* findTokens(rodata: Rodata): Generator<Tokens> {
  const { data, words, alignment } = rodata;
  const index = new Uint16Array(TOKENS);
  let found = 0;
  for (let at = 0; at + 2 * TOKENS <= data.length && found < MAX_FOUND; at += alignment) {
    if (data[at] !== 0 || data[at + 1] !== 0) continue;
    let i = 1;
    for (; i < TOKENS; i++) {
      const offset = words.u16(data, at + 2 * i);
      const length = offset - (index[i - 1] as number);
      if (length < 1 || length > MAX_TOKEN) break;
      index[i] = offset;
    }
    if (i < TOKENS) continue;
    const tokens = tokensBefore(rodata, at, index);
    if (tokens === undefined) continue;
    found += 1;
    yield tokens;
  }
}

function tokensBefore(rodata: Rodata, indexAt: number, index: Uint16Array): Tokens | undefined {
  const { data, alignment } = rodata;
  const last = index[TOKENS - 1] as number;
  // The last token's length is not in the index, so neither is the start of the first.
  const highest = (indexAt - last - 1) & -alignment;
  for (let start = highest; start >= 0 && start >= highest - MAX_TOKEN; start -= alignment) {
    const texts = textsAt(data, start, indexAt, index);
    if (texts === undefined) continue;
    const end = start + last + (texts[TOKENS - 1] as string).length + 1;
    if (aligned(end, rodata) === indexAt) return { start, end: indexAt + 2 * TOKENS, texts };
  }
  return undefined;
}

function textsAt(data: Buffer, start: number, indexAt: number, index: Uint16Array): string[] | undefined {
  const texts: string[] = [];
  for (let i = 0; i < TOKENS; i++) {
    const from = start + (index[i] as number);
    const next = i + 1 < TOKENS ? start + (index[i + 1] as number) : undefined;
    const bytes = data.subarray(from, next ?? indexAt);
    const length = bytes.indexOf(0);
    if (next === undefined ? length < 0 : length !== next - from - 1) return undefined;
    texts.push(bytes.toString("latin1", 0, length));
  }
  return texts;
}
