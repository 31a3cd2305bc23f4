/** Two releases of a kernel's source, and what differs between them. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";

export class SourcePair {
  readonly older: string;
  readonly newer: string;
  #changed: ReadonlySet<string> | undefined;
  readonly #changedLines = new Map<string, readonly string[]>();

  constructor(older: string, newer: string) {
    this.older = older;
    this.newer = newer;
  }

  /** C files and headers, relative to the trees, that the newer release has and the older one has not, or has otherwise. */
  changed(): ReadonlySet<string> {
    this.#changed ??= new Set(filesBelow(this.newer, "").filter((path) => this.differs(path)));
    return this.#changed;
  }

  differs(path: string): boolean {
    const [before, after] = [join(this.older, path), join(this.newer, path)];
    if (!existsSync(after)) return false;
    if (!existsSync(before)) return true;
    return statSync(before).size !== statSync(after).size || !readFileSync(before).equals(readFileSync(after));
  }

  /** In latin1 characters; undefined for a file that the older release has not. */
  texts(path: string): { readonly original: string | undefined; readonly patched: string } {
    const before = join(this.older, path);
    return {
      original: existsSync(before) ? readFileSync(before, "latin1") : undefined,
      patched: readFileSync(join(this.newer, path), "latin1"),
    };
  }

  /** The lines by which the two versions of a file differ, without their signs. */
  changedLines(path: string): readonly string[] {
    let lines = this.#changedLines.get(path);
    if (lines === undefined) {
      lines = this.diff([path])
        .split("\n")
        .filter((line) => /^[+-](?![+-]{2} )/.test(line))
        .map((line) => line.slice(1));
      this.#changedLines.set(path, lines);
    }
    return lines;
  }

  /** One source diff of all these files, in latin1 characters. */
  diff(paths: readonly string[]): string {
    return paths.map((path) => this.#diffOf(path)).join("");
  }

  #diffOf(path: string): string {
    const { original, patched } = this.texts(path);
    const oldName = original === undefined ? "/dev/null" : `a/${path}`;
    return createTwoFilesPatch(oldName, `b/${path}`, original ?? "", patched, undefined, undefined, {
      context: 3,
      headerOptions: FILE_HEADERS_ONLY,
    });
  }
}

function filesBelow(tree: string, directory: string): string[] {
  return readdirSync(join(tree, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(tree, path);
    return entry.isFile() && /\.[ch]$/.test(entry.name) ? [path] : [];
  });
}
