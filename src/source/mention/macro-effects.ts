/**
 * What macros may bring into a declaration, whichever of their definitions holds: a header is read by units in which
 * a word is a macro, or another one, or none.
 */
import { hasAttribute, isHarmless } from "../reach/attributes.ts";
import { type Group, grouped, type Item, isGroup, wordOf } from "../reach/grouped.ts";
import { tokensOf } from "../reach/tokens.ts";
import { isWord, type Macro } from "./macros.ts";

/** A definition, and the file that it is in. */
export interface Defined {
  readonly macro: Macro;
  readonly file: number;
}

/** The macros of all files. */
export interface MacroBook {
  /** All definitions of a name, in any file. */
  definitionsOf(name: string): readonly Defined[];
  /** Whether few units read a file. */
  isNarrow(file: number): boolean;
}

/** What a word before or in a declaration stands for, if it is no more than a qualifier or an attribute. */
export interface Neutral {
  readonly takesArguments: boolean;
  readonly isInline: boolean;
  readonly hasSection: boolean;
  /** Whether it is words of a type. */
  readonly isType: boolean;
}

/** Where a macro is called: in a function's body, or in a type, a parameter, an array's size. */
export type Place = "body" | "type";

const QUALIFIERS = new Set("inline __inline __inline__ const __const restrict __restrict __extension__".split(" "));
const TYPE_WORDS = new Set("_Bool void char short int long unsigned signed float double".split(" "));

/**
 * Macros by which code gets a name that nobody else has, from a number that counts. What else they do is known: the
 * name is of a function that is only declared, of a variable in the block, or of a label.
 */
const COUNTING = new Set(
  (
    "__UNIQUE_ID compiletime_assert annotate_reachable annotate_unreachable instrumentation_begin instrumentation_end " +
    "ASSERT_EXCLUSIVE_WRITER_SCOPED ASSERT_EXCLUSIVE_ACCESS_SCOPED __initcall_id __ID"
  ).split(" "),
);

/** Whether a macro counts for the sake of a name alone; see COUNTING. */
export function isCounting({ name, body }: Macro): boolean {
  return COUNTING.has(name) && (body.includes("__COUNTER__") || body.includes("__LINE__"));
}

/** Macros that join an operator's or a register's name, or a barrier's, to a piece of their own. */
const KNOWN_JOINS = new Set(["__cmp", "__ASM_REG", "__KCSAN_BARRIER_TO_SIGNAL_FENCE"]);

/**
 * Macros that choose, by a per-CPU variable's size, the operation whose name ends in it: they are assembly and
 * statements, and no declarations.
 */
const SIZED = /^__pcpu_(size_call|double_call)(_return\w*)?$/;

/** Whether a body joins what may be a name: `, ## __VA_ARGS__` only takes the comma away. */
function joinsNames({ name, body }: Macro): boolean {
  if (KNOWN_JOINS.has(name)) return false;
  const joins = body.flatMap((token, i) => (token === "##" ? [i] : []));
  if (SIZED.test(name) && joins.every((i) => /^[1248]$/.test(body[i + 1] ?? ""))) return false;
  return joins.some((i) => body[i - 1] !== ",");
}

/** Looks macros up by their words, and keeps what it finds. */
export class MacroEffects {
  readonly #book: MacroBook;
  readonly #neutral = new Map<string, Neutral | undefined>();
  readonly #bad = { body: new Map<string, ReadonlySet<number>>(), type: new Map<string, ReadonlySet<number>>() };

  readonly #badBelow = new Map<string, boolean>();

  constructor(book: MacroBook) {
    this.#book = book;
  }

  isMacro(word: string): boolean {
    return this.#book.definitionsOf(word).length > 0;
  }

  /** @param strangers gets the files whose definitions are something else */
  neutral(word: string, strangers: Set<number>): Neutral | undefined {
    const found = this.#book
      .definitionsOf(word)
      .map((each) => ({ ...each, neutral: this.#neutralOf(each.macro, [word]) }));
    const neutrals = found.flatMap(({ neutral }) => (neutral === undefined ? [] : [neutral]));
    for (const { file, neutral } of found) if (neutral === undefined) strangers.add(file);
    const [first] = neutrals;
    if (first === undefined) return undefined;
    if (neutrals.some(({ takesArguments }) => takesArguments !== first.takesArguments))
      for (const { file, neutral } of found) if (neutral?.takesArguments !== first.takesArguments) strangers.add(file);
    return {
      takesArguments: first.takesArguments,
      isInline: neutrals.every(({ isInline }) => isInline),
      hasSection: neutrals.some(({ hasSection }) => hasSection),
      isType: neutrals.some(({ isType }) => isType),
    };
  }

  /** The files with a definition of a word that makes it another one; `#define name name` does not. */
  renaming(word: string): number[] {
    return this.#book
      .definitionsOf(word)
      .filter(({ macro: { parameters, body } }) => parameters !== undefined || body.join() !== word)
      .map(({ file }) => file);
  }

  #neutralOf(macro: Macro, above: readonly string[]): Neutral | undefined {
    const key = JSON.stringify(macro);
    if (this.#neutral.has(key)) return this.#neutral.get(key);
    const found = this.#readNeutral(macro, above);
    if (above.length === 1) this.#neutral.set(key, found);
    return found;
  }

  #readNeutral({ parameters, body }: Macro, above: readonly string[]): Neutral | undefined {
    const items = grouped(tokensOf(body.join(" ")));
    if (items === undefined) return undefined;
    let [isInline, hasSection, isType] = [false, false, false];
    for (let i = 0; i < items.length; i++) {
      const item = items[i] as Item;
      const word = wordOf(item);
      if (item.kind === "attribute") {
        if (!isHarmless(item.items)) return undefined;
        hasSection ||= hasAttribute(item.items, "section");
      } else if (word === "") return undefined;
      else if (QUALIFIERS.has(word)) isInline ||= /inline/.test(word);
      else if (TYPE_WORDS.has(word)) isType = true;
      else if (!above.includes(word)) {
        const all = this.#book.definitionsOf(word).map(({ macro }) => this.#neutralOf(macro, [...above, word]));
        const [first] = all;
        if (first === undefined || all.includes(undefined)) return undefined;
        isInline ||= all.every((each) => each?.isInline);
        hasSection ||= all.some((each) => each?.hasSection);
        isType ||= all.some((each) => each?.isType);
        if (all.some((each) => each?.takesArguments !== first.takesArguments)) return undefined;
        if (first.takesArguments) {
          const next = items[++i];
          if (!isGroup(next) || next.kind !== "()") return undefined;
        }
      }
    }
    return { takesArguments: parameters !== undefined, isInline, hasSection, isType };
  }

  /**
   * The files with a definition by which a word, or what it stands for, may act beyond the place where it is: by
   * declaring what the rest of the unit sees, by a pragma, by an attribute that acts by itself, by half a bracket.
   */
  strangers(word: string, place: Place): ReadonlySet<number> {
    const kept = this.#bad[place].get(word);
    if (kept !== undefined) return kept;
    const found = new Set<number>();
    this.#below(this.#book.definitionsOf(word), (each) => {
      if (!this.#book.isNarrow(each.file)) {
        if (!actsBeyond(each.macro, place)) return "look below";
        found.add(each.file);
      } else if (this.#isBadBelow(each, place)) found.add(each.file);
      return "go on";
    });
    this.#bad[place].set(word, found);
    return found;
  }

  /**
   * For something to come of a definition that few units read, and be it by the definitions below it, a unit has to
   * read it: these are asked, and not those of a definition below that all units read.
   */
  #isBadBelow(start: Defined, place: Place): boolean {
    const key = `${start.file} ${place} ${start.macro.name}`;
    let found = this.#badBelow.get(key);
    if (found === undefined) {
      found = false;
      this.#below([start], ({ macro }) => {
        if (!actsBeyond(macro, place)) return "look below";
        found = true;
        return "stop";
      });
      this.#badBelow.set(key, found);
    }
    return found;
  }

  /** Goes through definitions and, where that is wanted, those of the words in them; each word once. */
  #below(start: readonly Defined[], visit: (each: Defined) => "look below" | "go on" | "stop"): void {
    const seen = new Set(start.map(({ macro }) => macro.name));
    const waiting = [...start];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (isCounting(next.macro)) continue;
      const then = visit(next);
      if (then === "stop") return;
      if (then === "go on") continue;
      for (const word of next.macro.body.filter(isWord)) {
        if (seen.has(word)) continue;
        seen.add(word);
        waiting.push(...this.#book.definitionsOf(word));
      }
    }
  }
}

const NEVER = /^(_Pragma|__pragma|extern|typedef|__label__|alias|weakref|ifunc)$/;
const NOT_IN_TYPES = /^(struct|union|enum|static|asm|__asm__|__asm|register|auto)$/;

function actsBeyond(macro: Macro, place: Place): boolean {
  const { body } = macro;
  if (joinsNames(macro)) return true;
  if (body.some((token) => NEVER.test(token) || (place === "type" && NOT_IN_TYPES.test(token)))) return true;
  const items = grouped(tokensOf(body.filter((token) => token !== "##" && token !== "#").join(" ")));
  return items === undefined || !attributesAreHarmless(items);
}

function attributesAreHarmless(items: readonly Item[]): boolean {
  return items.every((item, i) => {
    if (item.kind === "pragma") return false;
    if (item.kind === "attribute") return isHarmless((item as Group).items);
    if (/^__attribute(__)?$/.test(wordOf(item)) && !isGroup(items[i + 1])) return false;
    return !isGroup(item) || attributesAreHarmless(item.items);
  });
}
