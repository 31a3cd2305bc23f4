/** A kind of change to a C file, and what all kinds are made with. */
import type { Random } from "./random.ts";
import type { FoundFunction, Range, Scan } from "./scan.ts";

export interface Mutated {
  readonly text: string;
  /** The other file's text, where that is changed too. */
  readonly other?: string;
  /** What was changed. */
  readonly what: string;
}

export interface Mutation {
  readonly kind: string;
  /** Whether a guest may run it: what it does is what was done before. */
  readonly runs: boolean;
  /**
   * Undefined where the file has no place for it.
   *
   * @param other a file of the same directory that is linked to the same object
   */
  readonly apply: (file: Scan, random: Random, other: Scan | undefined) => Mutated | undefined;
}

/** A variable that nobody sets: what would do another thing hangs on it. */
export const OFF = "suture_mutant_off";
const DECLARATION = `static volatile int ${OFF};\n`;

export interface Edit extends Range {
  readonly text: string;
}

export function edited(text: string, edits: readonly Edit[]): string {
  return [...edits]
    .sort((a, b) => b.from - a.from)
    .reduce((all, { from, to, text: by }) => all.slice(0, from) + by + all.slice(to), text);
}

export function guarded({ text, afterIncludes }: Scan, edits: readonly Edit[], more = ""): string {
  return edited(text, [...edits, { from: afterIncludes, to: afterIncludes, text: DECLARATION + more }]);
}

export function matchesIn({ code }: Scan, { from, to }: Range, pattern: RegExp): Range[] {
  return [...code.slice(from, to).matchAll(pattern)].map((match) => ({
    from: from + match.index,
    to: from + match.index + match[0].length,
  }));
}

export function textOf({ text }: Scan, { from, to }: Range): string {
  return text.slice(from, to);
}

export const NUMBER = /(?<![\w.])(?:0x[0-9a-fA-F]+|\d+)[uUlL]*(?![\w.])/g;

/** Where the parenthesis that opens at `open` closes. */
export function closing(code: string, open: number): number | undefined {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if (code[at] === "(") depth++;
    else if (code[at] === ")" && --depth === 0) return at;
  }
  return undefined;
}

export function uses({ code }: Scan, name: string): Range[] {
  return [...code.matchAll(new RegExp(`\\b${name}\\b`, "g"))].map(({ index }) => ({
    from: index,
    to: index + name.length,
  }));
}

/** Places behind statements of a function's body, but for those that never come to their end. */
export function statementEnds({ code }: Scan, { body }: FoundFunction): number[] {
  const ends: number[] = [];
  let parentheses = 0;
  let start = body.from;
  for (let at = body.from; at < body.to; at++) {
    const letter = code[at];
    if (letter === "(") parentheses++;
    else if (letter === ")") parentheses--;
    else if (letter === ";" && parentheses === 0) {
      const statement = code.slice(start, at);
      const isFollowed = /^\s*(else|while)\b/.test(code.slice(at + 1, at + 200));
      if (!isFollowed && !/\b(return|goto|break|continue)\b/.test(statement)) ends.push(at + 1);
      start = at + 1;
    } else if (letter === "{" || letter === "}") start = at + 1;
  }
  return ends;
}

/** What the kernel's linker script or the way of compiling sets apart from ordinary code. */
const APART =
  /\b(__init|__exit|__meminit|__ref|noinstr|__sched|notrace|__kprobes|nokprobe_inline|__cpuidle|__weak|asmlinkage|__always_inline|inline|__visible|__latent_entropy|__no_sanitize\w*|__flatten|__cold|__noreturn|__naked|SYSCALL_DEFINE\d|COMPAT_SYSCALL_DEFINE\d|BPF_CALL_\d|DEFINE_IDTENTRY\w*)\b/;

/** A third of the time one that is set apart, where there are any: they are few. */
export function someFunction(
  { functions }: Scan,
  random: Random,
  fits: (found: FoundFunction) => boolean = () => true,
): FoundFunction | undefined {
  const all = functions.filter(fits);
  const apart = random.integer(3) === 0 ? all.filter(({ head }) => APART.test(head)) : [];
  return random.of(apart.length > 0 ? apart : all);
}
