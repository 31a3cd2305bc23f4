/** Where a package was built that ships: the path that its code may keep, and how to build there again. */
import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { dirname } from "node:path";
import { run } from "../../lib/run.ts";

/** Parts of a path that build machines use. */
const PATH = String.raw`(?:/[\w.+~@%-]+)+`;

/**
 * The path of a source tree that files of a package keep, in strings such as
 * `__FILE__` and compiler flags; `undefined` where they keep none.
 * @param tree base name of the tree
 * @param files paths of what ships
 */
export function shippedBuildPath(tree: string, files: readonly string[]): string | undefined {
  const name = tree.replace(/[.+*?^$()[\]{}|\\]/g, "\\$&");
  const pattern = new RegExp(`(?<![\\w.+~@%-])${PATH}/${name}(?=[/="'\\s:\\0)]|$)`, "g");
  const counts = new Map<string, number>();
  for (const file of files) {
    for (const [path] of readFileSync(file, "latin1").matchAll(pattern)) counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return most?.[0];
}

/**
 * A place for `tree` at `path`, in a mount namespace of its own that nothing
 * else sees. Undefined where this user may make none, or where something else
 * lies at that path.
 */
export async function placeAt(
  path: string,
  tree: string,
  signal: AbortSignal | undefined,
): Promise<BuildPlace | undefined> {
  if (process.getuid?.() !== 0 || existsSync(path)) return undefined;
  const made: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) made.unshift(at);
  mkdirSync(path, { recursive: true });
  const place = {
    path,
    command: (command: readonly string[]) => ["unshare", ...inPlace(path, tree), ...command],
    [Symbol.dispose]: () => {
      for (const each of made.toReversed()) removeEmpty(each);
    },
  };
  const [program = "", ...args] = place.command(["true"]);
  const tried = await run(program, args, { signal });
  if (tried.exitCode === 0) return place;
  place[Symbol.dispose]();
  return undefined;
}

/** Where a tree is seen by commands under the path it was built at, until it is disposed of. */
export interface BuildPlace extends Disposable {
  /** Where the tree is seen. */
  readonly path: string;
  /** The command line that runs `command` there. */
  command(command: readonly string[]): string[];
}

function inPlace(path: string, tree: string): string[] {
  const script = 'mount --bind "$1" "$2" && cd "$2" && PWD=$2 && shift 2 && exec "$@"';
  return ["--mount", "--propagation", "private", "--", "sh", "-c", script, "sh", tree, path];
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Another build uses it now.
  }
}
