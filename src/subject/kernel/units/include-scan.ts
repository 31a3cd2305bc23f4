/**
 * Which files a kernel's sources may read, by their text alone. Conditions are
 * not looked at, and where a name can lead to several files all of them count:
 * it is a superset, from which the preprocessor picks afterwards.
 */
import { basename, dirname, join, normalize, parse } from "node:path";
import { namesIfThere, textIfThere } from "../../../lib/if-there.ts";
import { throwIfAborted } from "../../../lib/interrupt.ts";
import type { Progress } from "../../../lib/progress.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import { definedAs, type FileReads, readsOf, wordsOf } from "../../../source/include-lines.ts";

/** Files, and who reads whom, by index. Beside the tree's own there are `namedNode`s and `wordNode`s. */
export interface IncludeEdges {
  readonly files: readonly string[];
  /** Reader and read, alternately. */
  readonly edges: readonly number[];
}

/** The scan reads every file of the tree, and shows how far it is. */
export interface ScanOptions {
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

/** Stands for a file that is not there, of any directory: who asks for one of its name reads it once it is. */
function namedNode(path: string): string {
  return `?/${basename(path)}`;
}

/** Stands for all files in whose names a word is, for who makes a file's name of that word by macros. */
function wordNode(word: string): string {
  return `#/${word}`;
}

/** The nodes that stand for a file beside its own. @param has whether the graph has a node */
export function nodesOf(path: string, has: (node: string) => boolean): string[] {
  const { name, ext } = parse(path);
  // A name that macros make has its ending from one of them.
  const words = has(wordNode(ext)) ? ["", ...wordsOf(name)] : [];
  return [namedNode(path), ...words.map(wordNode)].filter(has);
}

/**
 * Follows the includes of all units, and of `roots`.
 * @param roots files of the tree that are compiled and are no units, as assembly
 */
export async function scanIncludes(
  tree: string,
  units: readonly Unit[],
  roots: readonly string[],
  options: ScanOptions,
): Promise<IncludeEdges> {
  const { resolve, isThere } = resolver(tree, units);
  const graph = new Graph();
  for (const { source } of units) graph.indexOf(source);
  for (const root of roots) graph.indexOf(root);
  for (const { source, args } of units) for (const forced of forcedIncludes(args)) graph.add(source, forced);
  const computed = new Map<string, readonly string[]>();
  for (let i = 0; i < graph.files.length; i++) {
    const path = graph.files[i] as string;
    if (isStandIn(path)) continue;
    await breathe(i, graph.files.length, options);
    const { names, embedded, computed: words } = readsFrom(tree, path);
    for (const { name, isQuoted, isNext } of names) {
      const beside = isQuoted ? normalize(join(dirname(path), name)) : undefined;
      const targets = beside !== undefined && isThere(beside) && !isNext ? [beside] : resolve(name);
      for (const target of targets) graph.add(path, target);
      if (targets.length === 0) graph.add(path, namedNode(name));
    }
    for (const name of embedded) for (const target of [normalize(name), ...resolve(name)]) graph.add(path, target);
    for (const word of words) graph.add(path, wordNode(word));
    if (words.length > 0) computed.set(path, words);
  }
  await followComputed({ tree, units }, graph, computed, options);
  return { files: graph.files, edges: graph.edges };
}

/**
 * A unit that includes a file by a macro has read the definitions that its name
 * is made of. So who defines such a macro counts as reading the files in whose
 * names a word of the definition is. Where a definition pastes words together, the
 * name may be any: the file with the include counts as reading all, since who
 * defines what pastes (linux/args.h) has nothing of the name.
 * @param computed words of such includes, by the file that has them
 */
async function followComputed(
  { tree, units }: { readonly tree: string; readonly units: readonly Unit[] },
  graph: Graph,
  computed: ReadonlyMap<string, readonly string[]>,
  options: ScanOptions,
): Promise<void> {
  const paths = graph.files.filter((path) => !isStandIn(path));
  const known = new Set([...computed.values()].flat());
  const leads = new Map<string, Set<string>>();
  for (let waiting = [...known]; waiting.length > 0; ) {
    const found = new Set<string>();
    const note = (path: string, name: string, words: readonly string[]): void => {
      const next = leads.get(name) ?? new Set();
      leads.set(name, next);
      for (const word of words) {
        if (word !== PASTED) graph.add(path, wordNode(word));
        if (word === PASTED || isMacroName(word)) next.add(word);
        if (isMacroName(word) && !known.has(word)) found.add(word);
      }
    };
    for (const [i, path] of paths.entries()) {
      await breathe(i, paths.length, options);
      for (const [name, words] of definedAs(textIfThere(join(tree, path)), waiting)) note(path, name, words);
    }
    const isWaiting = new Set(waiting);
    for (const { source, args } of units) {
      for (const arg of args) {
        const [, name = "", body = ""] = /^-D(\w+)=(.*)$/s.exec(arg) ?? [];
        if (isWaiting.has(name)) note(source, name, wordsOf(body));
      }
    }
    for (const word of found) known.add(word);
    waiting = [...found];
  }
  for (const [path, words] of computed) if (reaches(words, PASTED, leads)) graph.add(path, wordNode(PASTED));
}

/** The word that stands for words pasted together. */
const PASTED = "";

function reaches(from: readonly string[], wanted: string, leads: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  const seen = new Set(from);
  // Words are added while it is gone through.
  for (const word of seen) for (const next of leads.get(word) ?? []) seen.add(next);
  return seen.has(wanted);
}

/** By convention, which all that the kernel's includes are made of keep: other words would lead to nearly all macros. */
function isMacroName(word: string): boolean {
  return /^[A-Z_][A-Z0-9_]*[A-Z][A-Z0-9_]*$/.test(word);
}

class Graph {
  readonly files: string[] = [];
  readonly edges: number[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #known = new Set<string>();

  indexOf(path: string): number {
    let index = this.#indexes.get(path);
    if (index === undefined) {
      index = this.files.push(path) - 1;
      this.#indexes.set(path, index);
    }
    return index;
  }

  add(from: string, to: string): void {
    const [reader, read] = [this.indexOf(from), this.indexOf(to)];
    const key = `${reader} ${read}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.edges.push(reader, read);
  }
}

/** Whether a node of the graph is no file. */
export function isStandIn(path: string): boolean {
  return path.startsWith("?/") || path.startsWith("#/");
}

async function breathe(done: number, total: number, { progress, signal }: ScanOptions): Promise<void> {
  if (done % 500 !== 0) return;
  throwIfAborted(signal);
  progress.tick(done, total);
  // Lets signals and timers in.
  await new Promise((resume) => setImmediate(resume));
}

function resolver(tree: string, units: readonly Unit[]) {
  const search = searchPath(units);
  const directories = new Map<string, ReadonlySet<string>>();
  const isThere = (path: string): boolean => {
    const directory = dirname(path);
    let names = directories.get(directory);
    if (names === undefined) {
      names = new Set(namesIfThere(join(tree, directory)));
      directories.set(directory, names);
    }
    return names.has(path.slice(directory === "." ? 0 : directory.length + 1));
  };
  const resolved = new Map<string, readonly string[]>();
  const resolve = (name: string): readonly string[] => {
    let found = resolved.get(name);
    if (found === undefined) {
      found = search.map((directory) => normalize(join(directory, name))).filter(isThere);
      resolved.set(name, found);
    }
    return found;
  };
  return { isThere, resolve };
}

/** All directories that units search. */
function searchPath(units: readonly Unit[]): string[] {
  return [...new Set(units.flatMap(({ args }) => searched(args)))];
}

function searched(args: readonly string[]): string[] {
  const directories: string[] = [];
  for (const [i, arg] of args.entries()) {
    if (/^-(I|iquote|isystem|idirafter)$/.test(arg)) directories.push(normalize(args[i + 1] ?? "."));
    else if (arg.startsWith("-I")) directories.push(normalize(arg.slice(2)));
  }
  return directories;
}

function forcedIncludes(args: readonly string[]): string[] {
  return args.flatMap((arg, i) => (/^-(include|imacros)$/.test(arg) ? [normalize(args[i + 1] ?? "")] : []));
}

function readsFrom(tree: string, path: string): FileReads {
  return readsOf(textIfThere(join(tree, path)));
}
