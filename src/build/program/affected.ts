/** Which translation units of a program the changed files reach. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import { mapParallel } from "../../lib/parallel.ts";
import type { Progress } from "../../lib/progress.ts";
import type { Note } from "../../patch/metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { compilerNamed } from "../compiler.ts";
import type { ChangedFile } from "../diff-input.ts";
import { changesOf, layOutView, viewDirectory } from "../tree.ts";
import type { Program, ProgramUnit } from "./program.ts";
import { hasSameTokens } from "./tokens.ts";

export interface AffectedProgramUnits {
  readonly units: readonly ProgramUnit[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
}

interface AffectedOptions {
  readonly cache: Cache;
  readonly jobs: number;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

/** The units whose source changes, and those that include a changed file and get other tokens by it. */
export async function affectedProgramUnits(
  program: Program,
  files: readonly ChangedFile[],
  options: AffectedOptions,
): Promise<AffectedProgramUnits> {
  const own = new Set<ProgramUnit>();
  const refusals: Refusal[] = [];
  const notes: Note[] = [];
  const included: ChangedFile[] = [];
  for (const file of files) {
    const units = program.units.filter(({ source }) => source === file.path);
    if (units.length === 0) included.push(file);
    else if (file.patched === undefined) refusals.push(removed(file.path));
    else for (const unit of units) own.add(unit);
  }
  const known = included.filter(({ original }) => original !== undefined);
  const reaching = known.length === 0 ? [] : includers(program, known).filter((unit) => !own.has(unit));
  const changed = await receivingOtherTokens(program, reaching, files, options);
  for (const { path } of included) {
    const hasCopies = files.some((each) => each.path.endsWith(`/${path}`));
    const isReached = changed.length > 0 || hasCopies || isIncludedByChange(path, files);
    if (!isReached)
      notes.push({ code: "NOT_BUILT", text: `${path} is in no file that was compiled; its change is left out` });
  }
  const order = program.units;
  const units = [...own, ...changed].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  return { units, refusals, notes };
}

const TEXT = /\.(c|cc|cp|cpp|cxx|c\+\+|C|h|hh|hpp|hxx|h\+\+|H|inc|inl|ipp|tcc|def|tpp|x)$/;
const INCLUDE = /^[ \t]*#[ \t]*(?:include|include_next|import)[ \t]*(?:["<]([^">\n]+)[">]|(\w))/gm;
const SKIPPED = new Set([".git", ".svn", ".hg", "node_modules"]);

/** By the names of files alone, so more than really do; the compiler is asked afterwards. */
function includers(program: Program, files: readonly ChangedFile[]): ProgramUnit[] {
  const includersOf = new Map<string, Set<string>>();
  // What is included by a macro may be any file.
  const ANY = "*";
  for (const path of textFiles(program.tree)) {
    for (const [, name] of readFileSync(join(program.tree, path), "latin1").matchAll(INCLUDE)) {
      const key = name === undefined ? ANY : basename(name);
      const list = includersOf.get(key);
      if (list === undefined) includersOf.set(key, new Set([path]));
      else list.add(path);
    }
  }
  const reached = new Set<string>();
  const waiting = [ANY, ...files.map(({ path }) => basename(path))];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const path of includersOf.get(next) ?? []) {
      if (reached.has(path)) continue;
      reached.add(path);
      waiting.push(basename(path));
    }
  }
  return program.units.filter(({ source }) => reached.has(source));
}

function* textFiles(tree: string, below = ""): Generator<string> {
  for (const entry of readdirSync(join(tree, below), { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory() && !SKIPPED.has(entry.name)) yield* textFiles(tree, path);
    else if (entry.isFile() && TEXT.test(entry.name)) yield path;
  }
}

async function receivingOtherTokens(
  program: Program,
  units: readonly ProgramUnit[],
  files: readonly ChangedFile[],
  { cache, jobs, progress, signal }: AffectedOptions,
): Promise<ProgramUnit[]> {
  if (units.length === 0) return [];
  await using views = await viewDirectory();
  const view = layOutView(program.tree, views.path, changesOf(files));
  progress.step(`preprocess ${units.length} files`);
  let done = 0;
  const same = await mapParallel(
    units,
    jobs,
    async (unit, _, both) => {
      const compiler = await compilerNamed(unit.command.compiler, cache, both);
      const isSame = await hasSameTokens(unit, program.tree, view, compiler, both);
      progress.tick(++done, units.length);
      return isSame;
    },
    signal,
  );
  return units.filter((_, i) => !same[i]);
}

function isIncludedByChange(path: string, files: readonly ChangedFile[]): boolean {
  const name = basename(path).replace(/[.+]/g, "\\$&");
  const include = new RegExp(`^[ \\t]*#[ \\t]*include[ \\t]*["<](.*/)?${name}[">]`, "m");
  return files.some(({ patched }) => patched !== undefined && include.test(patched));
}

function removed(path: string): Refusal {
  return refusal(
    "FILE_REMOVED",
    `${path} is removed, and the running program goes on with what was compiled from it`,
    path,
    "keep the file, and change its functions",
  );
}
