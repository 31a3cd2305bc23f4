/**
 * Line numbers that a diff shifts. They are in code and tables that WARN,
 * might_sleep and others make, and mean no other behaviour: what is printed is
 * the line of the source that was built.
 */
import { diffArrays } from "diff";
import type { Words } from "../elf/words.ts";

/**
 * Which two numbers are the same line of a changed file, under the number it had and
 * the one it has. Of all other numbers each difference counts.
 */
export interface LineNumbers {
  /** Whether `patched` is the line that has become of the line `original`, in one of the changed files. */
  areSame(original: number, patched: number): boolean;
}

/**
 * Of a build, which numbers lines as the original does as far as it can: a line
 * of the patched file is moved as far as any other line of its file, or not at all.
 */
export function linesAsBuilt(files: readonly ChangedText[]): LineNumbers {
  const shifts = new Set([0]);
  for (const { original, patched } of files) {
    if (original === undefined || patched === undefined) continue;
    const { kept, moved } = linesOf(original.split("\n"), patched.split("\n"));
    for (const [line, to] of kept.entries()) if (to !== undefined) shifts.add(line - to);
    for (const [line, places] of moved) for (const to of places) shifts.add(line - to);
  }
  return { areSame: (built, patched) => patched > 0 && shifts.has(built - patched) };
}

/**
 * A file before and after the diffs; undefined on a side where there is none. A file on
 * one side alone has no lines in common.
 */
export interface ChangedText {
  readonly original: string | undefined;
  readonly patched: string | undefined;
}

interface FileLines {
  /** By line of the original, from 1: its line in the patched file; undefined for one that is gone. */
  readonly kept: readonly (number | undefined)[];
  /** Ranges [from, to] of both that were replaced by one another, from 1. */
  readonly replaced: readonly { readonly original: Range; readonly patched: Range }[];
  /** Lines of the original that are gone, and where what a macro may be used in stands again. */
  readonly moved: ReadonlyMap<number, ReadonlySet<number>>;
}

type Range = readonly [from: number, to: number];

const MAX_EDITS = 20_000;

/**
 * Of the plain original and the plain patched source, where each line that is kept,
 * moved or replaced has a partner. Files that differ in more than 20,000 lines have
 * none.
 */
export function lineNumbersOf(files: readonly ChangedText[]): LineNumbers {
  const all = files.flatMap(({ original, patched }) =>
    original === undefined || patched === undefined ? [] : [linesOf(original.split("\n"), patched.split("\n"))],
  );
  return {
    areSame(original, patched) {
      return all.some(
        ({ kept, replaced, moved }) =>
          kept[original] === patched ||
          moved.get(original)?.has(patched) === true ||
          replaced.some((each) => isIn(original, each.original) && isIn(patched, each.patched)),
      );
    },
  };
}

function linesOf(original: readonly string[], patched: readonly string[]): FileLines {
  const kept: (number | undefined)[] = [undefined];
  const replaced: { original: Range; patched: Range }[] = [];
  const added: number[] = [];
  const parts = diffArrays(original as string[], patched as string[], { maxEditLength: MAX_EDITS }) ?? [];
  let at = 1;
  let gone: Range | undefined;
  for (const part of parts) {
    const { length } = part.value;
    if (part.removed) {
      gone = [kept.length, kept.length + length - 1];
      for (let i = 0; i < length; i++) kept.push(undefined);
    } else {
      for (let i = 0; i < length; i++) (part.added ? added : kept).push(at + i);
      if (part.added && gone !== undefined) replaced.push({ original: gone, patched: [at, at + length - 1] });
      at += length;
      gone = undefined;
    }
  }
  return { kept, replaced, moved: movedLines(original, patched, kept, added) };
}

/** A line with a macro in it that has gone from one place, and is new in another, is the same line. */
function movedLines(
  original: readonly string[],
  patched: readonly string[],
  kept: FileLines["kept"],
  added: readonly number[],
): FileLines["moved"] {
  const places = new Map<string, Set<number>>();
  for (const line of added) {
    const text = (patched[line - 1] as string).trim();
    if (text.includes("(")) places.set(text, (places.get(text) ?? new Set()).add(line));
  }
  const moved = new Map<number, ReadonlySet<number>>();
  for (const [i, text] of original.entries()) {
    const to = kept[i + 1] === undefined ? places.get(text.trim()) : undefined;
    if (to !== undefined) moved.set(i + 1, to);
  }
  return moved;
}

function isIn(line: number, [from, to]: Range): boolean {
  return line >= from && line <= to;
}

/** Where line numbers may be, and which are the same. */
export interface LineWords {
  readonly lines: LineNumbers;
  /** Of the machine. */
  readonly words: Words;
  /** Bytes of the words that may be one. */
  readonly sizes: readonly (2 | 4)[];
}

/**
 * Whether two byte strings of one length differ in line numbers alone: each
 * difference lies in a word that is a line on both sides.
 */
export function differInLines(original: Buffer, patched: Buffer, how: LineWords): boolean {
  if (original.length !== patched.length) return false;
  for (let at = 0; at < original.length; at++) {
    if (original[at] === patched[at]) continue;
    const end = how.sizes.flatMap((size) => wordAround([original, patched], at, size, how) ?? [])[0];
    if (end === undefined) return false;
    at = end - 1;
  }
  return true;
}

/** Where the word that holds `at` and is a line on both sides ends. */
function wordAround(
  sides: readonly [original: Buffer, patched: Buffer],
  at: number,
  size: 2 | 4,
  { lines, words }: LineWords,
): number | undefined {
  for (let from = at; from > at - size && from >= 0; from--) {
    if (from + size > sides[0].length) continue;
    const [before, after] = sides.map((data) => (size === 2 ? words.u16(data, from) : words.u32(data, from))) as [
      number,
      number,
    ];
    if (before >>> LINE_BITS === after >>> LINE_BITS && lines.areSame(before & LINE_MASK, after & LINE_MASK))
      return from + size;
  }
  return undefined;
}

/** struct _ddebug keeps flags above a line of this many bits. */
const LINE_BITS = 18;
const LINE_MASK = 2 ** LINE_BITS - 1;
