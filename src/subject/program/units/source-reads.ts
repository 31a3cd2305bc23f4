/** Which files of a program's source read which, by the names of files alone: more than really do. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { readsOf } from "../../../source/include-lines.ts";

/** A superset of what files read: a name counts wherever a file of that name may be. */
export interface SourceReads {
  /** All files that may read one of these, directly or not. */
  readersOf(paths: readonly string[]): ReadonlySet<string>;
  /** Whether any file names this one for the compiler to read. */
  isNamed(path: string): boolean;
  /** Whether any file has the assembler, or `#embed`, take this one in as it is. */
  isEmbedded(path: string): boolean;
  /** Whether a file that speaks of weak symbols has this word. */
  isBesideWeak(name: string): boolean;
  /** Whether a file has the name that the linker binds this one to where it is told so (`--wrap`). */
  isWrapped(name: string): boolean;
}

const TEXT = /\.(c|cc|cp|cpp|cxx|c\+\+|C|h|hh|hpp|hxx|h\+\+|H|inc|inl|ipp|tcc|def|tpp|x|S)$/;
const DEFINITION = /#[ \t]*define[ \t](?:[^\n\\]|\\(?:.|\n))*/g;
const FILE = /[\w+.-]+\.\w+/g;
const SKIPPED = new Set([".git", ".svn", ".hg", "node_modules"]);
/** What is included by a macro may be any file. */
const ANY = "*";

/** Reads all text files below the tree, once. */
export function readSourceReads(tree: string): SourceReads {
  const readers = new Map<string, Set<string>>();
  const embedded = new Set<string>();
  const defined = new Set<string>();
  const besideWeak = new Set<string>();
  const wrapped = new Set<string>();
  for (const path of filesBelow(tree)) {
    if (!TEXT.test(path)) continue;
    const text = textOf(tree, path);
    for (const [body] of text.matchAll(DEFINITION))
      for (const [name] of body.matchAll(FILE)) defined.add(basename(name));
    if (/weak/i.test(text)) for (const [word] of text.matchAll(/\w+/g)) besideWeak.add(word);
    for (const [, name = ""] of text.matchAll(/\b__wrap_(\w+)/g)) wrapped.add(name);
    const { names, embedded: taken, computed } = readsOf(text);
    for (const name of taken) embedded.add(basename(name));
    for (const name of [...names.map(({ name }) => basename(name)), ...(computed.length > 0 ? [ANY] : [])])
      readers.set(name, (readers.get(name) ?? new Set()).add(path));
  }
  return {
    readersOf(paths) {
      const reached = new Set<string>();
      const waiting = [ANY, ...paths.map((path) => basename(path))];
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        for (const path of readers.get(next) ?? []) {
          if (reached.has(path)) continue;
          reached.add(path);
          waiting.push(basename(path));
        }
      }
      return reached;
    },
    isNamed: (path) => readers.has(basename(path)) || (readers.has(ANY) && defined.has(basename(path))),
    isWrapped: (name) => wrapped.has(name),
    isBesideWeak: (name) => besideWeak.has(name),
    isEmbedded: (path) => embedded.has(basename(path)),
  };
}

function textOf(tree: string, path: string): string {
  return readFileSync(join(tree, path), "latin1");
}

function* filesBelow(tree: string, below = ""): Generator<string> {
  for (const entry of readdirSync(join(tree, below), { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory() && !SKIPPED.has(entry.name)) yield* filesBelow(tree, path);
    else if (entry.isFile()) yield path;
  }
}
