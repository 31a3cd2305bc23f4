/** The units of a program, before and after: compiled, proved against each object that they are part of, and diffed. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { diffedTogether } from "../../builder/across-units.ts";
import { mayTakeIn, outsideRefusal, tellsAll } from "../../builder/outside-files.ts";
import { apartOptions, calledOriginals, reliesOn } from "../../builder/relies.ts";
import type { Stopwatch } from "../../builder/stopwatch.ts";
import { layoutFindings, typesOf } from "../../builder/type-changes.ts";
import { diffUnits, type ObjectDiff } from "../../diff/object-diff.ts";
import type { DiffOptions as ObjectDiffOptions } from "../../diff/options.ts";
import { readUnit } from "../../diff/read-unit.ts";
import type { Atom, Unit } from "../../diff/unit.ts";
import type { ElfFile } from "../../elf/model.ts";
import { readElf } from "../../elf/read.ts";
import type { Cache } from "../../lib/cache.ts";
import { mapParallel } from "../../lib/parallel.ts";
import type { Progress } from "../../lib/progress.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import type { LeftOutRecord, Note } from "../../patch/metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { elfHead, isForHost } from "../../provider/program/machine.ts";
import { type Compiler, compilerNamed } from "../../provider/toolchain/compiler.ts";
import type { ChangedFile } from "../../source/diffs/diff-input.ts";
import { changesOf, layOutView, type TreeView, viewDirectory } from "../../source/tree.ts";
import { classLayoutRefusals } from "./class-layouts.ts";
import { compileInProgramView, type ProgramCompileResult } from "./compile.ts";
import { flagRefusals } from "./flags.ts";
import { whyNoHookIn } from "./hooks.ts";
import { isOtherVariant, type ProgramProof, partsOf, proveIn, reasonOf } from "./match/prove.ts";
import { compileProgramOriginal } from "./originals.ts";
import type { Program, ProgramUnit } from "./program.ts";
import type { SourceReads } from "./units/source-reads.ts";

export interface ProgramUnitDiff {
  readonly unit: ProgramUnit;
  readonly diff: ObjectDiff;
  readonly proof: ProgramProof;
  readonly patched: ElfFile;
  /** Names of functions of the unit that stay, and on whose code the new code relies. */
  readonly relies: readonly string[];
}

export interface ProgramUnitDiffs {
  readonly diffs: readonly ProgramUnitDiff[];
  readonly refusals: readonly Refusal[];
  readonly leftOut: readonly LeftOutRecord[];
  readonly notes: readonly Note[];
  /** Version line of the compiler. */
  readonly compiler: string;
}

interface DiffOptions {
  readonly cache: Cache;
  readonly jobs: number;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
  readonly watch: Stopwatch;
  readonly reads: SourceReads;
}

/** Three objects of a unit: as it was shipped, and both sides of the diff with a section for each function. */
interface Compiled {
  readonly unit: ProgramUnit;
  readonly compiler: Compiler;
  readonly plain: ElfFile;
  readonly original: ElfFile;
  readonly patched: ElfFile;
}

export async function diffProgramUnits(
  program: Program,
  units: readonly ProgramUnit[],
  files: readonly ChangedFile[],
  options: DiffOptions,
): Promise<ProgramUnitDiffs> {
  const { jobs, progress, signal, watch } = options;
  const flags = units.flatMap(flagRefusals);
  if (flags.length > 0) return { diffs: [], refusals: flags, leftOut: [], notes: [], compiler: "" };
  progress.step(units.length === 1 ? `compile ${units[0]?.source}` : `compile ${units.length} files`);
  await using views = await viewDirectory();
  await using objects = await temporaryDirectory();
  const view = layOutView(program.tree, views.path, changesOf(files));
  let done = 0;
  const compiled = await mapParallel(
    units,
    jobs,
    async (unit, index, both) => {
      const into = join(objects.path, `${index}.o`);
      const result = await compileUnit(program, unit, view, files, into, { ...options, signal: both });
      progress.tick(++done, units.length);
      return result;
    },
    signal,
  );
  watch.lap("compile");
  const [first] = compiled;
  const compiler = first === undefined || "code" in first ? "" : first.compiler.text;
  const failed = compiled.flatMap((each) => ("code" in each ? [each] : []));
  if (failed.length > 0) return { diffs: [], refusals: failed, leftOut: [], notes: [], compiler };

  progress.step("prove and compare");
  const diffs: ProgramUnitDiff[] = [];
  const refusals: Refusal[] = [];
  const notes: Note[] = [];
  const proved: { readonly each: Compiled; readonly proofs: readonly ProgramProof[] }[] = [];
  for (const [i, each] of compiled.entries()) {
    if ("code" in each) continue;
    const proofs = watch.time("match", () =>
      program.shipped.map((shipped) => proveIn(each.unit.source, each.plain, shipped)),
    );
    proved.push({ each, proofs });
    progress.tick(i + 1, compiled.length);
  }
  const allParts = proved.flatMap(({ proofs }) => partsOf(proofs));
  for (const { each, proofs } of proved) {
    const parts = partsOf(proofs);
    if (parts.length === 0) notes.push(await notInProgram(each.unit, proofs));
    const own = parts.filter((proof) => !isOtherVariant(proof, allParts));
    diffs.push(...watch.time("diff", () => diffsOf(each, own)));
  }
  if (diffs.length === 0 && notes.length > 0)
    refusals.push(
      ...notes.map(({ text }) =>
        refusal(
          "NOT_IN_PROGRAM",
          text,
          program.shipped.map(({ path }) => path).join(", "),
          "name the file that runs with --exe, and the commands that it was built with",
        ),
      ),
    );
  const { diffs: all, refusals: across } = diffedTogether(
    diffs,
    (each) => linkedIn(each, options.reads),
    (each, more) => ({
      ...each,
      diff: diffed(each.diff, each.proof, { ...more, homeOf: homesOf(diffs, each) }),
    }),
  );
  refusals.push(...across);
  for (const { diff } of all) {
    refusals.push(...diff.refusals);
    notes.push(...diff.notes);
  }
  for (const { unit, original, patched } of compiled.flatMap((each) => ("code" in each ? [] : [each]))) {
    const isIn = all.some(({ diff }) => diff.selection.unit === unit.source && diff.selection.pieces.length > 0);
    if (!isIn) continue;
    const types = layoutFindings({ unit, originalFile: original, patchedFile: patched }, watch);
    refusals.push(...types.refusals);
    notes.push(...types.notes);
    if (typesOf(original) === undefined)
      refusals.push(...watch.time("types", () => classLayoutRefusals(unit.source, original, patched)));
  }
  const relying = await mapParallel(
    all,
    jobs,
    async (each, index, both) => {
      const into = join(objects.path, `apart-${index}.o`);
      return { ...each, relies: await reliesOf(program, each, view, into, { ...options, signal: both }) };
    },
    signal,
  );
  return {
    diffs: relying,
    refusals: unique(refusals),
    leftOut: unique(all.flatMap(({ diff }) => diff.leftOut)),
    notes,
    compiler,
  };
}

async function reliesOf(
  { tree }: Program,
  { unit, diff }: ProgramUnitDiff,
  view: TreeView,
  into: string,
  { cache, signal }: DiffOptions,
): Promise<string[]> {
  if (calledOriginals(diff).length === 0) return [];
  const compiler = await compilerNamed(unit.command.compiler, cache, signal);
  const more = apartOptions(compiler);
  if (more === undefined) return reliesOn(diff, undefined);
  const command = { ...unit.command, args: [...unit.command.args, ...more] };
  const result = await compileInProgramView({ ...unit, command }, tree, view, into, {
    compiler,
    variant: "sections",
    signal,
  });
  if (result.kind === "does-not-compile") return reliesOn(diff, undefined);
  return reliesOn(diff, programUnit(readElf(await readFile(result.object), unit.source)));
}

function unique<Finding extends Refusal>(refusals: readonly Finding[]): Finding[] {
  return [...new Map(refusals.map((each) => [JSON.stringify(each), each])).values()];
}

function diffsOf({ unit, original, patched }: Compiled, proofs: readonly ProgramProof[]): ProgramUnitDiff[] {
  return proofs.map((proof) => {
    const pair = { original: programUnit(original), patched: programUnit(patched) };
    return { unit, diff: diffed(pair, proof), proof, patched, relies: [] };
  });
}

export type HomeOf = (original: Atom) => ProgramProof | undefined;

/** Of each atom of an original in the same shipped object, the proof of the unit that has it. */
export function homesOf(diffs: readonly ProgramUnitDiff[], { proof }: ProgramUnitDiff): HomeOf {
  let homes: Map<Atom, ProgramProof> | undefined;
  return (original) => {
    homes ??= new Map(
      diffs
        .filter((each) => each.proof.shipped === proof.shipped)
        .flatMap((each) => each.diff.original.atoms.map((atom) => [atom, each.proof] as const)),
    );
    return homes.get(original);
  };
}

/**
 * A name counts as there, too, where the object takes it from a library, before
 * which its own would come, and where the source may have it weakly: what is
 * stripped does not tell.
 */
function linkedIn({ proof: { shipped } }: ProgramUnitDiff, reads: SourceReads) {
  const hasGlobal = (name: string) =>
    shipped.imports(name) || shipped.places(name).some(({ isGlobal }) => isGlobal) || reads.isBesideWeak(name);
  return { object: shipped.object, hasGlobal };
}

function programUnit(file: ElfFile): Unit {
  return readUnit(file, {}, "program");
}

function diffed(
  { original, patched }: { readonly original: Unit; readonly patched: Unit },
  proof: ProgramProof,
  { homeOf, ...more }: Pick<ObjectDiffOptions, "wanted" | "moved"> & { homeOf?: HomeOf } = {},
): ObjectDiff {
  const whyNoHook = (atom: Atom) => whyNoHookIn(atom, homeOf?.(atom) ?? proof);
  return diffUnits(original, patched, { isModule: false, needsHook: false, whyNoHook, ...more });
}

async function compileUnit(
  program: Program,
  unit: ProgramUnit,
  view: TreeView,
  files: readonly ChangedFile[],
  into: string,
  options: DiffOptions,
): Promise<Compiled | Refusal> {
  const { cache, signal } = options;
  const compiler = await compilerNamed(unit.command.compiler, cache, signal);
  const sections = { compiler, variant: "sections", signal } as const;
  const [plain, original, patched] = await Promise.all([
    compileProgramOriginal(unit, cache, { ...sections, variant: "plain" }),
    compileProgramOriginal(unit, cache, sections),
    compilePatched(program, unit, view, files, into, sections),
  ]);
  for (const each of [plain, original]) if (each.kind === "does-not-compile") return originalFails(unit, each.output);
  if (patched.kind === "does-not-compile") return patchedFails(unit, patched.output);
  const known = new Set([plain, original].flatMap((each) => (each.kind === "compiled" ? each.dependencies : [])));
  const path = patched.outside?.find((each) => !known.has(each));
  if (path !== undefined) return outsideRefusal(unit.source, path);
  if (!tellsAll(compiler)) {
    const taking = files.find((file) => mayTakeIn(file.original, file.patched));
    if (taking !== undefined) return outsideRefusal(taking.path, "files by words of the assembler");
  }
  if (plain.kind === "compiled" && !isForHost(elfHead(plain.object) ?? Buffer.alloc(0))) return otherMachine(unit);
  const read = async (result: ProgramCompileResult) =>
    result.kind === "compiled" ? readElf(await readFile(result.object), unit.source) : undefined;
  const [a, b, c] = await Promise.all([read(plain), read(original), read(patched)]);
  if (a === undefined || b === undefined || c === undefined) return originalFails(unit, "");
  return { unit, compiler, plain: a, original: b, patched: c };
}

/** Where the text with line marks is refused, the words of the compiler are about the text as it was written. */
async function compilePatched(
  { tree }: Program,
  unit: ProgramUnit,
  view: TreeView,
  files: readonly ChangedFile[],
  into: string,
  options: Parameters<typeof compileInProgramView>[4],
): Promise<ProgramCompileResult> {
  const marked = await compileInProgramView(unit, tree, view, into, options);
  if (marked.kind === "compiled") return marked;
  await using views = await viewDirectory();
  const unmarked = layOutView(tree, views.path, changesOf(files, true));
  return await compileInProgramView(unit, tree, unmarked, into, options);
}

function originalFails({ source }: ProgramUnit, output: string): Refusal {
  return refusal(
    "ORIGINAL_DOES_NOT_COMPILE",
    `${source} does not compile as it was built:\n${output.trimEnd()}`,
    source,
    "check that sources, generated files and compiler are those that the program was built with",
  );
}

function patchedFails({ source }: ProgramUnit, output: string): Refusal {
  return refusal(
    "DOES_NOT_COMPILE",
    `${source} does not compile with the diff:\n${output.trimEnd()}`,
    source,
    "bring along the headers and other files that the fix needs, as one diff",
  );
}

function otherMachine({ source }: ProgramUnit): Refusal {
  return refusal(
    "OTHER_MACHINE",
    `${source} is compiled to something else than an object for 64-bit x86-64`,
    source,
    "leave that compile out of the compile commands",
  );
}

async function notInProgram({ source }: ProgramUnit, proofs: readonly ProgramProof[]): Promise<Note> {
  const most = proofs.reduce<ProgramProof | undefined>(
    (best, each) => ((best?.match.proved.size ?? -1) >= each.match.proved.size ? best : each),
    undefined,
  );
  if (most === undefined) return { code: "NOT_IN_PROGRAM", text: `${source} is compiled, and nothing ships` };
  const { proved, mismatches } = most.match;
  const [differing] = [...mismatches].filter(([, { kind }]) => kind !== "absent");
  const reason = differing === undefined ? "" : `; ${differing[0]}: ${await reasonOf(...differing, most)}`;
  const count = `${proved.size} of its ${proved.size + mismatches.size} functions are in ${most.shipped.object}`;
  return { code: "NOT_IN_PROGRAM", text: `${source} is not part of what ships: ${count}${reason}` };
}
