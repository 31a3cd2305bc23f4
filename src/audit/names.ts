/** Names without what the compiler counts: the numbers differ between two compiles of what is the same. */
import type { LineNumbers } from "./line-numbers.ts";

/** The function's name in the name that new code has in a livepatch for a program: `OBJECT:NAME,POSITION`. */
export function nameIn(symbol: string): string {
  return /^[^:]+:(.+),\d+$/.exec(symbol)?.[1] ?? symbol;
}

/** `x.12`, `x.constprop.0.isra.0` and `__UNIQUE_ID_x123` without their numbers, a program's `OBJECT:x,0` without its object. */
export function plainName(symbol: string): string {
  const name = nameIn(symbol);
  const counted = /^(__UNIQUE_ID_.*?)\d+(.*)$/.exec(name);
  const base = counted === null ? name : `${counted[1]}${counted[2]}`;
  const initcall = /^__initcall__(.*)_\d+_\d+_(\w+)$/.exec(base);
  if (initcall !== null) return `__initcall__${initcall[1]}_${initcall[2]}`;
  return base.replace(/\.\d+(?=\.|$)/g, "");
}

/** Whether two names are one but for line numbers in them, which macros make of __LINE__. */
export function sameButForLines(original: string, patched: string, lines: LineNumbers): boolean {
  const [before, after] = [original.split(/(\d+)/), patched.split(/(\d+)/)];
  if (before.length !== after.length) return false;
  return before.every((part, i) => part === after[i] || (i % 2 === 1 && lines.areSame(Number(part), Number(after[i]))));
}

/** Whether several things of one object may have it: then what it is the name of is told by its use. */
export function isCounted(name: string): boolean {
  return plainName(name) !== name && !/\.(constprop|isra|part|cold|llvm)\b/.test(name);
}

/** The function that a piece of code was split from. */
export function wholeOf(name: string): string {
  return name.replace(/\.cold(\.\d+)?$/, "");
}

/** A symbol of something that runs, and of what; that is undefined where the name does not say it. */
export interface RunningSymbol {
  readonly object: string | undefined;
  readonly name: string;
}

/**
 * What `.klp.sym.OBJECT.NAME,POSITION` stands for; undefined for any other symbol. Both parts may hold dots.
 *
 * @param objects names of all objects that the livepatch speaks of
 */
export function runningSymbol(symbol: string, objects: Iterable<string>): RunningSymbol | undefined {
  const match = /^\.klp\.sym\.(.+),\d+$/.exec(symbol);
  if (match === null) return undefined;
  const rest = match[1] as string;
  const object = [...objects].filter((each) => rest.startsWith(`${each}.`)).sort((a, b) => b.length - a.length)[0];
  return { object, name: rest.slice((object?.length ?? rest.indexOf(".")) + 1) };
}

/** The name alone. */
export function runningName(symbol: string, objects: Iterable<string>): string | undefined {
  return runningSymbol(symbol, objects)?.name;
}
