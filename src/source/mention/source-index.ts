/** All files that a kernel's units may read, by their words. */
import { nameHash } from "../reach/name-hash.ts";
import type { FileFacts } from "./file-facts.ts";
import type { Defined } from "./macro-effects.ts";
import { type Macro, macrosIn } from "./macros.ts";
import { plainText } from "./plain-text.ts";

/** What is kept of it; `words` and `defines` have all files' hashes, one file after the other. */
export interface IndexData {
  readonly files: readonly string[];
  readonly words: Int32Array;
  /** Where each file's end. */
  readonly wordEnds: Int32Array;
  readonly defines: Int32Array;
  readonly defineEnds: Int32Array;
  readonly unbalanced: readonly string[];
  /** Files that count as having every name. */
  readonly strange: readonly number[];
}

/** A file as it is, undefined where it is not there. */
export type ReadFile = (path: string) => Uint8Array | undefined;

/** Looks names up in it; texts are read when they are first needed. */
export class SourceIndex {
  readonly data: IndexData;
  readonly #read: ReadFile;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #plain = new Map<number, Buffer>();
  readonly #macros = new Map<number, ReadonlyMap<string, readonly Macro[]>>();
  #definers: Map<number, number[]> | undefined;

  constructor(data: IndexData, read: ReadFile) {
    this.data = data;
    this.#read = read;
    this.#numbers = new Map(data.files.map((file, i) => [file, i]));
  }

  numberOf(path: string): number | undefined {
    return this.#numbers.get(path);
  }

  plain(file: number): Buffer {
    let found = this.#plain.get(file);
    if (found === undefined) {
      found = plainText(this.#read(this.data.files[file] as string) ?? new Uint8Array());
      this.#plain.set(file, found);
    }
    return found;
  }

  /** The files in which one of these names may be. */
  mentioning(names: Iterable<string>): number[] {
    const { words, wordEnds } = this.data;
    const wanted = new Set([...names].map(nameHash));
    const filter = new Uint8Array(1 << 16);
    for (const each of wanted) filter[each & 0xffff] = 1;
    const found: number[] = [];
    for (let file = 0, at = 0; file < wordEnds.length; file++) {
      const end = wordEnds[file] as number;
      for (; at < end; at++) {
        const word = words[at] as number;
        if (filter[word & 0xffff] === 1 && wanted.has(word)) {
          found.push(file);
          break;
        }
      }
      at = end;
    }
    return found;
  }

  definitionsOf(name: string): Defined[] {
    return this.#definersOf(name).flatMap((file) =>
      (this.#macrosOf(file).get(name) ?? []).map((macro) => ({ macro, file })),
    );
  }

  #definersOf(name: string): readonly number[] {
    if (this.#definers === undefined) {
      this.#definers = new Map();
      const { defines, defineEnds } = this.data;
      for (let file = 0, at = 0; file < defineEnds.length; file++) {
        for (; at < (defineEnds[file] as number); at++) {
          const hashed = defines[at] as number;
          const known = this.#definers.get(hashed);
          if (known === undefined) this.#definers.set(hashed, [file]);
          else known.push(file);
        }
      }
    }
    return this.#definers.get(nameHash(name)) ?? [];
  }

  #macrosOf(file: number): ReadonlyMap<string, readonly Macro[]> {
    let found = this.#macros.get(file);
    if (found === undefined) {
      const byName = new Map<string, Macro[]>();
      for (const macro of macrosIn(this.plain(file).toString("latin1"))) {
        const known = byName.get(macro.name);
        if (known === undefined) byName.set(macro.name, [macro]);
        else known.push(macro);
      }
      found = byName;
      this.#macros.set(file, found);
    }
    return found;
  }
}

/** @param facts of each file, in their order */
export function indexOf(files: readonly string[], facts: readonly FileFacts[], read: ReadFile): SourceIndex {
  const data: IndexData = {
    files,
    words: joined(facts.map(({ words }) => words)),
    wordEnds: ends(facts.map(({ words }) => words)),
    defines: joined(facts.map(({ defines }) => defines)),
    defineEnds: ends(facts.map(({ defines }) => defines)),
    unbalanced: [...new Set(facts.flatMap(({ unbalanced }) => unbalanced))],
    strange: facts.flatMap(({ isStrange }, file) => (isStrange ? [file] : [])),
  };
  return new SourceIndex(data, read);
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function ends(parts: readonly Int32Array[]): Int32Array {
  let at = 0;
  return Int32Array.from(parts, ({ length }) => (at += length));
}
