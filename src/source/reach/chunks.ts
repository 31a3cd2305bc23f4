/**
 * Preprocessed C, cut into its top-level chunks: declarations, function
 * definitions, pragmas. It knows of C only what the cut needs, brackets, strings
 * and what a brace at the top opens, and gives up on all that it does not know.
 */
import { hash } from "node:crypto";
import { CHARACTER, continuesNumber, DIGIT, isSpace, OTHER, SPACE, WORD } from "./characters.ts";
import { nameHash } from "./name-hash.ts";

/** Bytes of a chunk's digest. */
export const DIGEST = 8;

/** The top-level chunks of a text, in its order. */
export interface Chunks {
  readonly count: number;
  /** `DIGEST` bytes for each: equal for chunks of equal tokens. */
  readonly digests: Buffer;
  /** Its tokens in latin1 characters, one space or nothing between two, each pragma on a line of its own. */
  text(index: number): string;
  /**
   * The chunks, the last one first, in which one of these names may be: as an
   * identifier, in a pragma, or as a word in a string. Names are known by their
   * hash, so some in which none is are among them.
   */
  mentioning(names: ReadonlySet<string>): Iterable<number>;
}

/** undefined for what is not plain C after the preprocessor (`-E -P`). */
export function cutChunks(bytes: Uint8Array): Chunks | undefined {
  const cutter = new Cutter(bytes);
  return cutter.cut() ? cutter.chunks() : undefined;
}

const code = (character: string): number => character.charCodeAt(0);
const [NEWLINE, BLANK, BACKSLASH] = [code("\n"), code(" "), code("\\")];
const [QUOTE, APOSTROPHE, HASH, SEMICOLON] = [code('"'), code("'"), code("#"), code(";")];
const [BRACE, BRACE_END, PARENTHESIS, PARENTHESIS_END] = [code("{"), code("}"), code("("), code(")")];
const [BRACKET, BRACKET_END, EQUALS, DOT] = [code("["), code("]"), code("="), code(".")];
const [LESS, GREATER, COLON, PERCENT, SLASH, STAR] = [code("<"), code(">"), code(":"), code("%"), code("/"), code("*")];
const LETTER_R = code("R");

const TYPE_WORDS = new Set(["struct", "union", "enum"].map(nameHash));
const ATTRIBUTE_WORDS = new Set(["__attribute__", "__attribute"].map(nameHash));

/** Since the last `struct`, `union` or `enum` at the top: whether a brace would be its body. */
type TypeHead = "none" | "word" | "tag";

/** What a brace at the top opens. */
type TopBrace = "body" | "other";

class Cutter {
  readonly #bytes: Uint8Array;
  /** The text that is kept, and the end of each chunk in it. */
  readonly #out: Buffer;
  #written = 0;
  readonly #ends: number[] = [];
  /** Hashes of names, and for each chunk the end of its own. */
  #names = new Int32Array(1 << 16);
  #nameCount = 0;
  readonly #nameEnds: number[] = [];
  readonly #open: number[] = [];
  #at = 0;
  #chunkStart = 0;
  #hasSpace = false;
  // Where the last string ends in the text that is kept, and the word that it ends with.
  #stringEnd = -1;
  #lastWord: number | undefined;
  // Of the chunk so far, at the top.
  #last = 0;
  #head: TypeHead = "none";
  #isAfterAttribute = false;
  #isInitialized = false;
  #topBrace: TopBrace = "other";

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    // A pragma has a line end before and after it that the text may not have.
    this.#out = Buffer.allocUnsafe(bytes.length * 2 + 2);
  }

  /** Returns whether all of it was understood. */
  cut(): boolean {
    const bytes = this.#bytes;
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at] as number;
      switch (CHARACTER[byte]) {
        case SPACE:
          this.#hasSpace = true;
          this.#at++;
          break;
        case WORD:
          if (!this.#word()) return false;
          break;
        case DIGIT:
          this.#number();
          break;
        case OTHER:
          if (!this.#other(byte)) return false;
          break;
        default:
          return false;
      }
    }
    return this.#open.length === 0 && this.#written === this.#chunkStart;
  }

  chunks(): Chunks {
    const out = Buffer.from(this.#out.subarray(0, this.#written));
    const [ends, nameEnds] = [this.#ends, this.#nameEnds];
    const names = this.#names.slice(0, this.#nameCount);
    const count = ends.length;
    const startOf = (index: number): number => (index === 0 ? 0 : (ends[index - 1] as number));
    const digests = Buffer.allocUnsafe(count * DIGEST);
    for (let i = 0; i < count; i++) {
      const digest = hash("sha256", out.subarray(startOf(i), ends[i]), "buffer") as unknown as Buffer;
      digest.copy(digests, i * DIGEST, 0, DIGEST);
    }
    return {
      count,
      digests,
      text: (index) => out.toString("latin1", startOf(index), ends[index]),
      *mentioning(wanted) {
        const filter = new Uint8Array(1 << 16);
        const hashes = new Set<number>();
        for (const name of wanted) {
          const value = nameHash(name);
          hashes.add(value);
          filter[value & 0xffff] = 1;
        }
        for (let i = count - 1; i >= 0; i--) {
          const from = i === 0 ? 0 : (nameEnds[i - 1] as number);
          for (let at = nameEnds[i] as number; at-- > from; ) {
            const value = names[at] as number;
            if (filter[value & 0xffff] === 1 && hashes.has(value)) {
              yield i;
              break;
            }
          }
        }
      },
    };
  }

  #space(): void {
    if (this.#hasSpace && this.#written > this.#chunkStart) this.#out[this.#written++] = BLANK;
    this.#hasSpace = false;
  }

  #copy(end: number): void {
    this.#space();
    // Locals: this is where the time goes.
    const [bytes, out] = [this.#bytes, this.#out];
    let to = this.#written;
    for (let i = this.#at; i < end; i++) out[to++] = bytes[i] as number;
    this.#written = to;
    this.#at = end;
  }

  #name(hashed: number): void {
    if (this.#nameCount === this.#names.length) {
      const more = new Int32Array(this.#names.length * 2);
      more.set(this.#names);
      this.#names = more;
    }
    this.#names[this.#nameCount++] = hashed;
  }

  #word(): boolean {
    const bytes = this.#bytes;
    let end = this.#at;
    let hashed = 0;
    for (let byte = bytes[end] as number; isWordPart(byte); byte = bytes[++end] as number)
      hashed = Math.imul(hashed, 31) + byte;
    hashed |= 0;
    // R"( begins a raw string.
    if (bytes[end] === QUOTE && bytes[end - 1] === LETTER_R) return false;
    this.#copy(end);
    this.#name(hashed);
    if (this.#open.length > 0) return true;
    this.#last = WORD;
    if (ATTRIBUTE_WORDS.has(hashed)) this.#isAfterAttribute = true;
    else if (TYPE_WORDS.has(hashed)) this.#head = "word";
    else this.#head = this.#head === "word" ? "tag" : "none";
    return true;
  }

  #number(): void {
    let end = this.#at + 1;
    while (continuesNumber(this.#bytes[end], this.#bytes[end - 1] as number)) end++;
    this.#copy(end);
    if (this.#open.length === 0) this.#head = "none";
  }

  #other(byte: number): boolean {
    const next = this.#bytes[this.#at + 1];
    switch (byte) {
      case QUOTE:
      case APOSTROPHE:
        return this.#quoted(byte);
      case HASH:
        return this.#pragma();
      case DOT:
        if (next !== undefined && CHARACTER[next] === DIGIT) this.#number();
        else this.#sign(byte);
        return true;
      case BACKSLASH:
        return false;
      case SLASH:
        if (next === SLASH || next === STAR) return false;
        break;
      // Digraphs.
      case LESS:
        if (next === COLON || next === PERCENT) return false;
        break;
      case PERCENT:
        if (next === COLON || next === GREATER) return false;
        break;
      case COLON:
        if (next === GREATER) return false;
        break;
      case BRACE:
      case PARENTHESIS:
      case BRACKET:
        return this.#opening(byte);
      case BRACE_END:
      case PARENTHESIS_END:
      case BRACKET_END:
        return this.#closing(byte);
      default:
    }
    this.#sign(byte);
    if (byte === SEMICOLON && this.#open.length === 0) this.#endChunk();
    return true;
  }

  #sign(byte: number): void {
    this.#copy(this.#at + 1);
    if (this.#open.length > 0) return;
    this.#last = byte;
    this.#head = "none";
    this.#isAfterAttribute = false;
    if (byte === EQUALS) this.#isInitialized = true;
  }

  #opening(byte: number): boolean {
    if (this.#open.length === 0) {
      if (byte === BRACE) {
        if (this.#head !== "none" || this.#isInitialized) this.#topBrace = "other";
        else if (this.#last === PARENTHESIS_END) this.#topBrace = "body";
        else return false;
      }
      if (!this.#isAfterAttribute) this.#head = "none";
      this.#isAfterAttribute = false;
    }
    this.#copy(this.#at + 1);
    this.#open.push(byte);
    return true;
  }

  #closing(byte: number): boolean {
    const opened = this.#open.pop();
    const fits =
      (opened === BRACE && byte === BRACE_END) ||
      (opened === PARENTHESIS && byte === PARENTHESIS_END) ||
      (opened === BRACKET && byte === BRACKET_END);
    if (!fits) return false;
    this.#copy(this.#at + 1);
    if (this.#open.length > 0) return true;
    this.#last = byte;
    if (byte === BRACE_END && this.#topBrace === "body") this.#endChunk();
    return true;
  }

  /** A string or a character constant; the words in it count as names. */
  #quoted(quote: number): boolean {
    const bytes = this.#bytes;
    let end = this.#at + 1;
    while (bytes[end] !== quote) {
      if (bytes[end] === BACKSLASH) end++;
      if (end >= bytes.length || bytes[end] === NEWLINE) return false;
      end++;
    }
    if (quote === QUOTE) this.#words(this.#at + 1, end);
    this.#copy(end + 1);
    if (quote === QUOTE) this.#stringEnd = this.#written;
    if (this.#open.length === 0) {
      this.#last = quote;
      this.#head = "none";
    }
    return true;
  }

  /** Of a string, or of what else is text; a word that goes on from the string just before counts too. */
  #words(from: number, end: number): void {
    const bytes = this.#bytes;
    let joined = this.#written === this.#stringEnd ? this.#lastWord : undefined;
    for (let at = from; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === BACKSLASH) at++;
      if (CHARACTER[byte] !== WORD && (joined === undefined || !isWordPart(byte))) {
        joined = undefined;
        continue;
      }
      let hashed = 0;
      for (; at < end && isWordPart(bytes[at] as number); at++) {
        hashed = Math.imul(hashed, 31) + (bytes[at] as number);
        if (joined !== undefined) joined = Math.imul(joined, 31) + (bytes[at] as number);
      }
      this.#name(hashed | 0);
      if (joined !== undefined) this.#name(joined | 0);
      if (at === end) {
        this.#lastWord = joined ?? hashed;
        return;
      }
      joined = undefined;
      at--;
    }
    this.#lastWord = joined;
  }

  #pragma(): boolean {
    const bytes = this.#bytes;
    for (let before = this.#at - 1; before >= 0 && bytes[before] !== NEWLINE; before--)
      if (!isSpace(bytes[before] as number)) return false;
    let end = this.#at;
    while (end < bytes.length && bytes[end] !== NEWLINE) end++;
    this.#words(this.#at, end);
    const isChunk = this.#written === this.#chunkStart;
    if (!isChunk) this.#out[this.#written++] = NEWLINE;
    this.#hasSpace = false;
    this.#copy(end);
    this.#out[this.#written++] = NEWLINE;
    if (isChunk) this.#endChunk();
    return true;
  }

  #endChunk(): void {
    this.#ends.push(this.#written);
    this.#nameEnds.push(this.#nameCount);
    this.#chunkStart = this.#written;
    this.#hasSpace = false;
    this.#last = 0;
    this.#head = "none";
    this.#isAfterAttribute = false;
    this.#isInitialized = false;
    this.#topBrace = "other";
  }
}

function isWordPart(byte: number): boolean {
  const kind = CHARACTER[byte];
  return kind === WORD || kind === DIGIT;
}
