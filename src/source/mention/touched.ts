/**
 * Which names a changed header touches, and in which files there is more to it than names. docs/reach.md has the
 * argument why no unit that has none of them gets other code.
 */
import { diffArrays } from "diff/lib/diff/array.js";
import { grouped } from "../reach/grouped.ts";
import { nameHash } from "../reach/name-hash.ts";
import { tagsDeclaredBy } from "../reach/tags-declared.ts";
import { tokensOf } from "../reach/tokens.ts";
import { declaredBy } from "./declared.ts";
import { type Element, elementsOf } from "./elements.ts";
import { codeWords, factsOf } from "./file-facts.ts";
import { type Defined, MacroEffects } from "./macro-effects.ts";
import { bodyTokens, macrosIn } from "./macros.ts";
import { namesMembersAlone } from "./member-names.ts";
import { plainText } from "./plain-text.ts";
import type { SourceIndex } from "./source-index.ts";
import { wordHashes } from "./words.ts";

/** A header before and after the diff, in latin1 characters. */
export interface ChangedHeader {
  readonly path: string;
  readonly original: string;
  readonly patched: string;
}

/** What the rest of a kernel may see of changed headers. */
export interface Touched {
  readonly names: ReadonlySet<string>;
  /** Numbers of files in the index: units that are one of these, or may read one, are to be asked. */
  readonly asked: ReadonlySet<number>;
}

/** @param isUnit whether a file is one that a compiler is called with */
export function touchedBy(
  headers: readonly ChangedHeader[],
  index: SourceIndex,
  isUnit: (path: string) => boolean,
): Touched {
  const search = new Search(index, isUnit);
  for (const header of headers) search.define(header);
  for (const header of headers) search.change(header);
  search.follow();
  return search;
}

/** Names that were not looked for yet; `macros`: of them, those that stand for something else wherever they are. */
interface Fresh {
  readonly words: ReadonlySet<string>;
  readonly macros: ReadonlySet<string>;
}

interface Tag {
  readonly tag: string;
  readonly element: Element;
}

class Search implements Touched {
  readonly names = new Set<string>();
  readonly asked: Set<number>;
  readonly #index: SourceIndex;
  readonly #isUnit: (path: string) => boolean;
  /** By the macros of both sides. */
  readonly #effects: MacroEffects;
  /** By those that were there before the diff. */
  readonly #effectsBefore: MacroEffects;
  readonly #elements = new Map<number, Taking | undefined>();
  /** Of the patched headers, by name. */
  readonly #defined = new Map<string, Defined[]>();
  readonly #unbalanced: Set<string>;
  /** Names of macros that are one without arguments. */
  readonly #plainMacros = new Set<string>();
  #fresh = new Set<string>();

  constructor(index: SourceIndex, isUnit: (path: string) => boolean) {
    this.#index = index;
    this.#isUnit = isUnit;
    const isNarrow = (file: number): boolean => !/(^|\/)include\//.test(index.data.files[file] ?? "");
    this.#effects = new MacroEffects({ definitionsOf: (name) => this.#definitionsOf(name), isNarrow });
    this.#effectsBefore = new MacroEffects({ definitionsOf: (name) => index.definitionsOf(name), isNarrow });
    this.#unbalanced = new Set(index.data.unbalanced);
    this.asked = new Set(index.data.strange);
  }

  /** What the patched header has is looked up as what there was is. */
  define({ path, patched }: ChangedHeader): void {
    const file = this.#index.numberOf(path);
    if (file === undefined) return;
    const bytes = Buffer.from(patched, "latin1");
    const { isStrange, unbalanced } = factsOf(bytes);
    if (isStrange) this.asked.add(file);
    for (const name of unbalanced) this.#unbalanced.add(name);
    for (const macro of macrosIn(plainText(bytes).toString("latin1")))
      this.#defined.set(macro.name, [...(this.#defined.get(macro.name) ?? []), { macro, file }]);
  }

  #definitionsOf(name: string): Defined[] {
    return [...this.#index.definitionsOf(name), ...(this.#defined.get(name) ?? [])];
  }

  change({ path, original, patched }: ChangedHeader): void {
    const file = this.#index.numberOf(path);
    // Nobody reads it.
    if (file === undefined) return;
    const [before, after] = [original, patched].map((text) => elementsOf(plainText(Buffer.from(text, "latin1"))));
    if (before === undefined || after === undefined) {
      this.asked.add(file);
      return;
    }
    const { hunks, kept } = differing(before, after);
    const elements = new Taking(before, kept);
    this.#elements.set(file, elements);
    for (const { removed, added } of hunks) {
      const gone = removed.flatMap((each) => this.#take(file, each, this.#effectsBefore));
      const come = added.flatMap((each) => this.#take(file, each, this.#effects));
      // A tag that both sides declare is declared at the same place.
      for (const [own, other] of [[gone, come] as const, [come, gone] as const])
        for (const { tag, element } of own)
          if (!other.some((each) => each.tag === tag) && !elements.declares(tag, element)) this.#name(tag);
    }
  }

  follow(): void {
    while (this.#fresh.size > 0) {
      const fresh = [...this.#fresh];
      this.#fresh = new Set();
      const words = new Set(fresh.flatMap((name) => [name, `__builtin_${name}`]));
      const macros = new Set(fresh.filter((name) => this.#plainMacros.has(name)));
      for (const file of this.#index.mentioning(words)) this.#mention(file, { words, macros });
    }
  }

  #mention(file: number, names: Fresh): void {
    if (this.asked.has(file)) return;
    const path = this.#index.data.files[file] as string;
    const elements = this.#isUnit(path) || !path.endsWith(".h") ? undefined : this.#elementsIn(file);
    if (elements === undefined) {
      this.asked.add(file);
      return;
    }
    for (const each of elements.mentioning(names)) this.#take(file, each, this.#effects);
  }

  #elementsIn(file: number): Taking | undefined {
    if (!this.#elements.has(file)) {
      const plain = this.#index.plain(file);
      const found = elementsOf(plain);
      this.#elements.set(file, found === undefined ? undefined : new Taking(found));
    }
    return this.#elements.get(file);
  }

  /** Returns the tags that it declares where nothing before it has. */
  #take(file: number, element: Element, effects: MacroEffects): Tag[] {
    const elements = this.#elements.get(file);
    if (elements === undefined || !elements.take(element)) return [];
    if (element.kind === "macro") {
      if (!/^#\s*define\s+[^\s(]+\(/.test(element.text)) this.#plainMacros.add(element.name);
      this.#name(element.name);
      return [];
    }
    this.#askUnbalanced(elements);
    const declared =
      element.kind === "code" && element.code !== undefined ? declaredBy(element.code, effects) : undefined;
    if (declared === undefined) {
      this.asked.add(file);
      return [];
    }
    for (const name of declared.names) this.#name(name);
    for (const stranger of declared.strangers) this.asked.add(stranger);
    return declared.tags.map((tag) => ({ tag, element }));
  }

  /** A macro of half a bracket would cut the text elsewhere. */
  #askUnbalanced(elements: Taking): void {
    if (elements.isLookedThrough) return;
    elements.isLookedThrough = true;
    for (const word of elements.words())
      if (this.#unbalanced.has(word)) for (const each of this.#definitionsOf(word)) this.asked.add(each.file);
  }

  #name(name: string): void {
    if (this.names.has(name)) return;
    this.names.add(name);
    this.#fresh.add(name);
  }
}

/** What stands in one place before and after. */
interface Hunk {
  readonly removed: Element[];
  readonly added: Element[];
}

/** `kept`: all of the patched header's elements, in their order, for those that both have the original's. */
function differing(before: readonly Element[], after: readonly Element[]) {
  const hunks: Hunk[] = [];
  const kept: Placed[] = [];
  let hunk: Hunk | undefined;
  let [i, j] = [0, 0];
  for (const part of diffArrays(before.map(keyOf), after.map(keyOf))) {
    if (!part.removed && !part.added) hunk = undefined;
    else if (hunk === undefined) {
      hunk = { removed: [], added: [] };
      hunks.push(hunk);
    }
    for (const _ of part.value) {
      if (part.removed) {
        hunk?.removed.push(before[i++] as Element);
        continue;
      }
      const { within } = after[j] as Element;
      const element = (part.added ? after[j++] : before[i++]) as Element;
      if (part.added) hunk?.added.push(element);
      else j++;
      kept.push({ element, within });
    }
  }
  return { hunks, kept };
}

function keyOf({ kind, context, text }: Element): string {
  return `${kind}\n${context}\n\n${text}`;
}

function has(text: string, names: ReadonlySet<string>): boolean {
  return names.size > 0 && bodyTokens(text).some((token) => names.has(token));
}

/** An element in one of the two versions of a header. */
type Placed = { readonly element: Element } & Pick<Element, "within">;

/** A header's elements, some of which are taken out. */
class Taking {
  /** For macros of half a bracket. */
  isLookedThrough = false;
  readonly #all: readonly Element[];
  readonly #sides: readonly (readonly Placed[])[];
  readonly #taken = new Set<Element>();
  #words: readonly Int32Array[] | undefined;

  /** @param patched where the header is changed */
  constructor(original: readonly Element[], patched: readonly Placed[] = []) {
    this.#all = [...new Set([...original, ...patched.map(({ element }) => element)])];
    this.#sides = [original.map((element) => ({ element, within: element.within })), patched];
  }

  /** Whether it was not taken before. */
  take(element: Element): boolean {
    if (this.#taken.has(element)) return false;
    this.#taken.add(element);
    return true;
  }

  /** Of its code. */
  words(): string[] {
    return codeWords(this.#all.map(({ kind, text }) => (kind === "code" ? text : "")).join("\n"));
  }

  *mentioning({ words, macros }: Fresh): Iterable<Element> {
    const hashes = new Set([...words].map(nameHash));
    this.#words ??= this.#all.map(({ context, text }) => wordHashes(Buffer.from(`${context}\n${text}`, "latin1")));
    for (const [i, own] of this.#words.entries()) {
      if (!own.some((word) => hashes.has(word))) continue;
      const element = this.#all[i] as Element;
      const isPlain = element.kind === "code" && !has(element.context, words) && !has(element.text, macros);
      if (!(isPlain && namesMembersAlone(element.text, words))) yield element;
    }
  }

  /** Whether something that is left, and is there wherever an element is, declares a tag before it. */
  declares(tag: string, before: Element): boolean {
    return this.#sides.every((side) => {
      const end = side.findIndex(({ element }) => element === before);
      const place = side[end];
      if (place === undefined) return true;
      return side.slice(0, end).some(({ element, within }) => {
        if (this.#taken.has(element) || !within.every((number, i) => number === place.within[i])) return false;
        if (element.kind !== "code" || element.code === undefined || !element.code.includes(tag)) return false;
        return tagsDeclaredBy(grouped(tokensOf(element.code)) ?? []).includes(tag);
      });
    });
  }
}
