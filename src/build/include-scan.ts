/** Which files a kernel's sources include, by their text alone: conditions are not looked at, so it is a superset. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { throwIfAborted } from "../lib/interrupt.ts";
import type { Progress } from "../lib/progress.ts";
import type { Unit } from "./unit.ts";

/** Files, and who includes whom, by index. */
export interface IncludeEdges {
  readonly files: readonly string[];
  /** Includer and included, alternately. */
  readonly edges: readonly number[];
}

export interface ScanOptions {
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

const INCLUDE = /^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)/gm;

/** Follows the includes of all units. */
export async function scanIncludes(tree: string, units: readonly Unit[], options: ScanOptions): Promise<IncludeEdges> {
  const search = searchPath(units);
  const directories = new Map<string, ReadonlySet<string>>();
  const isThere = (path: string): boolean => {
    const directory = dirname(path);
    let names = directories.get(directory);
    if (names === undefined) {
      names = new Set(namesIn(join(tree, directory)));
      directories.set(directory, names);
    }
    return names.has(path.slice(directory === "." ? 0 : directory.length + 1));
  };
  const resolved = new Map<string, readonly string[]>();
  const resolve = (name: string): readonly string[] => {
    let found = resolved.get(name);
    if (found === undefined) {
      found = find(name, search, isThere);
      resolved.set(name, found);
    }
    return found;
  };

  const indexes = new Map<string, number>();
  const files: string[] = [];
  const edges: number[] = [];
  const indexOf = (path: string): number => {
    let index = indexes.get(path);
    if (index === undefined) {
      index = files.push(path) - 1;
      indexes.set(path, index);
    }
    return index;
  };
  for (const { source } of units) indexOf(source);
  for (const { source, args } of units) {
    for (const forced of forcedIncludes(args)) edges.push(indexOf(source), indexOf(forced));
  }
  for (let i = 0; i < files.length; i++) {
    const path = files[i] as string;
    if (i % 500 === 0) {
      throwIfAborted(options.signal);
      options.progress.tick(i, files.length);
      // Lets signals and timers in.
      await new Promise((done) => setImmediate(done));
    }
    for (const [, quoted, angled = ""] of readIfThere(join(tree, path)).matchAll(INCLUDE)) {
      const beside = quoted === undefined ? undefined : normalize(join(dirname(path), quoted));
      const targets = beside !== undefined && isThere(beside) ? [beside] : resolve(quoted ?? angled);
      for (const target of targets) edges.push(i, indexOf(target));
    }
  }
  return { files, edges };
}

interface SearchPath {
  /** The directories that nearly all units search, in their order. */
  readonly shared: readonly string[];
  /** Those that only some do. */
  readonly others: readonly string[];
}

function searchPath(units: readonly Unit[]): SearchPath {
  const counts = new Map<string, number>();
  for (const { args } of units) {
    for (const directory of searched(args)) counts.set(directory, (counts.get(directory) ?? 0) + 1);
  }
  const isShared = ([, count]: [string, number]): boolean => count > units.length / 2;
  const all = [...counts];
  return {
    shared: all.filter(isShared).map(([directory]) => directory),
    others: all.filter((each) => !isShared(each)).map(([directory]) => directory),
  };
}

/** The first of the shared directories that has it; else every other that does. */
function find(name: string, search: SearchPath, isThere: (path: string) => boolean): string[] {
  for (const directory of search.shared) {
    const path = normalize(join(directory, name));
    if (isThere(path)) return [path];
  }
  return search.others.map((directory) => normalize(join(directory, name))).filter(isThere);
}

function searched(args: readonly string[]): string[] {
  const directories: string[] = [];
  for (const [i, arg] of args.entries()) {
    if (arg === "-I" || arg === "-iquote" || arg === "-isystem") directories.push(normalize(args[i + 1] ?? "."));
    else if (arg.startsWith("-I")) directories.push(normalize(arg.slice(2)));
  }
  return directories;
}

function forcedIncludes(args: readonly string[]): string[] {
  return args.flatMap((arg, i) => (arg === "-include" ? [normalize(args[i + 1] ?? "")] : []));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
