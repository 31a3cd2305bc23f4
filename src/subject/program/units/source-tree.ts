/** The directory that diffs are for, and the units whose sources lie in it. */
import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SutureError } from "../../../lib/error.ts";
import { realPathIfThere } from "../../../lib/if-there.ts";
import type { CompileCommand } from "../../../provider/program/command-line.ts";
import { makesForHost } from "../../../provider/program/machine.ts";
import { inside } from "../../../provider/program/moved-command.ts";
import { type DiffText, parseDiff } from "../../../source/diffs/diff-parse.ts";
import { candidates, stripLevel } from "../../../source/diffs/diff-paths.ts";
import type { ProgramUnit } from "../program.ts";

/**
 * As given; else the directory that holds all sources, or the one above it in
 * which the diff's files are there. Throws `SOURCE_NOT_FOUND`.
 */
export async function sourceTreeFor(
  commands: readonly CompileCommand[],
  diffs: readonly DiffText[],
  given: string | undefined,
): Promise<string> {
  if (given !== undefined) {
    if (statSync(given, { throwIfNoEntry: false })?.isDirectory() !== true)
      throw new SutureError("SOURCE_NOT_FOUND", "the source tree is no directory", { where: given });
    return realpathSync(given);
  }
  const sources = commands.map(sourcePath).filter((path) => existsSync(path));
  const [first] = sources;
  if (first === undefined)
    throw new SutureError("SOURCE_NOT_FOUND", "none of the sources that were compiled is there", {
      where: commands[0] === undefined ? "no compile commands" : sourcePath(commands[0]),
      hint: "build the program again, or name its source tree with --source",
    });
  const common = sources.reduce((a, b) => commonDirectory(a, b), dirname(first));
  // Names are mostly made in the tree's top directory, with `a/` and `b/` before them; else they have more before them.
  for (const levels of [[1, 0], [undefined]]) {
    for (const directory of directoriesUpFrom(common)) {
      if (diffs.every((diff) => levels.some((level) => touches(diff, directory, level)))) return directory;
    }
  }
  return common;
}

/** As far as the checkout that it is in. */
function* directoriesUpFrom(lowest: string): Generator<string> {
  for (let directory = lowest; ; directory = dirname(directory)) {
    yield directory;
    if (directory === "/" || existsSync(join(directory, ".git"))) return;
  }
}

function sourcePath({ directory, source }: CompileCommand): string {
  return realPathIfThere(resolve(directory, source));
}

function commonDirectory(a: string, path: string): string {
  let directory = a;
  while (inside(path, directory) === undefined && directory !== "/") directory = dirname(directory);
  return directory;
}

/** Whether one of the diff's files lies in the directory. */
function touches(diff: DiffText, directory: string, strip: number | undefined): boolean {
  const isThere = (path: string) => existsSync(join(directory, path));
  const options = { tree: directory, isThere, strip };
  const files = parseDiff(diff);
  const level = stripLevel(files, options);
  return files.some((file) => candidates(file, level, options).some(isThere));
}

/**
 * `__DATE__` and `__TIME__` are those of the build, as far as it can be known: of
 * two compiles at different times each function that has them would differ.
 */
function dateOf({ directory, source, object }: CompileCommand): { readonly SOURCE_DATE_EPOCH?: string } {
  if (process.env["SOURCE_DATE_EPOCH"] !== undefined) return {};
  const paths = [...(object === undefined ? [] : [object]), resolve(directory, source)];
  const made = paths.map((path) => statSync(path, { throwIfNoEntry: false })).find((found) => found !== undefined);
  return made === undefined ? {} : { SOURCE_DATE_EPOCH: String(Math.floor(made.mtimeMs / 1000)) };
}

/** The same source compiled twice to one object is one unit; what is compiled for other machines is none. */
export function unitsBelow(tree: string, commands: readonly CompileCommand[]): ProgramUnit[] {
  const units = new Map<string, ProgramUnit>();
  for (const command of commands) {
    if (!makesForHost(command)) continue;
    const source = inside(sourcePath(command), tree);
    if (source === undefined) continue;
    const directory = realPathIfThere(command.directory);
    units.set(`${source} ${command.object ?? JSON.stringify(command.args)}`, {
      source,
      command: { ...command, directory, env: { ...dateOf(command), ...command.env } },
    });
  }
  return [...units.values()].sort((a, b) => (a.source < b.source ? -1 : a.source > b.source ? 1 : 0));
}
