/**
 * Which other files of the same release a file's diff needs before it compiles:
 * what the compiler and the linker miss leads to the changed headers and C files
 * that have it.
 */

import type { Refusal } from "../../src/patch/refusal.ts";
import type { Unit } from "../../src/provider/kernel/unit.ts";
import { type BuildRun, buildCommand } from "./build-command.ts";
import { headersFor, mentions, missingNames } from "./missing-names.ts";
import type { SourcePair } from "./source-pair.ts";

export interface CompanionKernel {
  readonly release: string;
  /**
   * Translation units that a diff of these files compiles; where they are more
   * than `most`, some number above it.
   */
  unitsReached(paths: readonly string[], most: number): Promise<number>;
  /** Files that a C file of the older release reads when it is compiled; empty where it is no unit. */
  dependencies(source: string): Promise<readonly string[]>;
  unitsOf(source: string): Promise<readonly Unit[]>;
}

export type WithCompanions =
  | { readonly kind: "tried"; readonly files: readonly string[]; readonly units: number; readonly run: BuildRun }
  | { readonly kind: "too-wide" | "out-of-time"; readonly files: readonly string[]; readonly units: number }
  /** Nothing that could be added has what is missing. */
  | { readonly kind: "stuck"; readonly files: readonly string[]; readonly missing: string };

export interface CompanionOptions {
  readonly directory: string;
  readonly name: string;
  readonly jobs: number | undefined;
}

/** More translation units than these are not built, but refused where that is told within some seconds. */
const WIDEST = 130;
const WIDE_SECONDS = 150;
const MOST_ROUNDS = 12;
/** After which no more files are added to a diff. */
const MOST_SECONDS = 600;

/** @param alone the refusals of the file's own diff */
export async function buildWithCompanions(
  file: string,
  alone: readonly Refusal[],
  pair: SourcePair,
  kernel: CompanionKernel,
  options: CompanionOptions,
): Promise<WithCompanions> {
  const files = new Set([file]);
  let refusals = alone;
  let last: Extract<WithCompanions, { readonly kind: "tried" }> | undefined;
  const began = performance.now();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const more = await wanted(refusals, files, pair, kernel);
    if (more.length === 0) return last ?? { kind: "stuck", files: [...files], missing: firstError(refusals) };
    if (last !== undefined && performance.now() - began > MOST_SECONDS * 1000) return { ...last, kind: "out-of-time" };
    for (const each of more) files.add(each);
    const units = await kernel.unitsReached([...files], WIDEST);
    const diff = pair.diff([...files].sort());
    const input = { ...options, release: kernel.release, diff };
    if (units > WIDEST) {
      // What a layout refuses is told long before all units are looked at.
      const run = await buildCommand({ ...input, longestSeconds: WIDE_SECONDS });
      const isTold = run.outcome.kind === "refused";
      return isTold ? { kind: "tried", files: [...files], units, run } : { kind: "too-wide", files: [...files], units };
    }
    const run = await buildCommand(input);
    last = { kind: "tried", files: [...files], units, run };
    if (run.outcome.kind !== "refused") return last;
    refusals = run.outcome.refusals;
  }
  return last ?? { kind: "stuck", files: [...files], missing: firstError(refusals) };
}

/** The files to add next; none where the refusals are not about something missing, or nothing has it. */
async function wanted(
  refusals: readonly Refusal[],
  files: ReadonlySet<string>,
  pair: SourcePair,
  kernel: CompanionKernel,
): Promise<string[]> {
  const found = new Set<string>();
  for (const { code, what, where } of refusals) {
    if (code === "DOES_NOT_COMPILE") {
      for (const path of await forCompiling(what, where, files, pair, kernel)) found.add(path);
    } else if (code === "SYMBOL_NOT_FOUND") {
      for (const path of await definers(namedIn(what), files, pair, kernel)) found.add(path);
    }
  }
  return [...found];
}

async function forCompiling(
  words: string,
  source: string,
  files: ReadonlySet<string>,
  pair: SourcePair,
  kernel: CompanionKernel,
): Promise<string[]> {
  // A header changed what this unit uses: the release changed both together.
  if (!files.has(source) && pair.changed().has(source)) return [source];
  const absent = /fatal error: ([^\s:]+): No such file/.exec(words)?.[1];
  const changed = [...pair.changed()].filter((path) => !files.has(path));
  if (absent !== undefined) return changed.filter((path) => path.endsWith(`/${absent.replace(/^(\.\.?\/)+/, "")}`));
  const read = new Set(await kernel.dependencies(source));
  const included = [...files].flatMap((path) => includedIn(pair.texts(path).patched));
  const headers = changed
    .filter((path) => path.endsWith(".h"))
    .filter((path) => read.has(path) || included.some((name) => path.endsWith(`/${name}`)));
  return headersFor(missingNames(words), headers, (path) => pair.changedLines(path).join("\n"));
}

function includedIn(text: string): string[] {
  return [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]*["<](?:\.\.?\/)*([^">\n]+)[">]/gm)].map(([, name = ""]) => name);
}

/** C files of the release that define one of these functions or variables, and whose change says so. */
async function definers(
  names: ReadonlySet<string>,
  files: ReadonlySet<string>,
  pair: SourcePair,
  kernel: CompanionKernel,
): Promise<string[]> {
  const found: string[] = [];
  for (const path of pair.changed()) {
    if (files.has(path) || !path.endsWith(".c") || !mentions(pair.texts(path).patched, names)) continue;
    if ((await kernel.unitsOf(path)).length === 0) continue;
    const exports = pair.changedLines(path).filter((line) => /^[A-Za-z_]/.test(line) && !line.endsWith(";"));
    if (mentions(exports.join("\n"), names)) found.push(path);
  }
  return found;
}

function namedIn(what: string): Set<string> {
  return new Set(what.match(/[A-Za-z_]\w*/g) ?? []);
}

function firstError(refusals: readonly Refusal[]): string {
  const lines = refusals.flatMap(({ what }) => what.split("\n"));
  return lines.find((line) => /\berror:/.test(line)) ?? lines[0] ?? "";
}
