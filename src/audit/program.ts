/** The same for a program's livepatch. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { archOf } from "../arch/registry.ts";
import type { CompileResult } from "../builder/compile-result.ts";
import { STB } from "../elf/constants.ts";
import type { ElfFile } from "../elf/model.ts";
import { readElf } from "../elf/read.ts";
import type { Words } from "../elf/words.ts";
import { SutureError } from "../lib/error.ts";
import { mapParallel } from "../lib/parallel.ts";
import { temporaryDirectory } from "../lib/temp.ts";
import type { ProgramMetadata } from "../patch/program-metadata.ts";
import { compilerNamed } from "../provider/toolchain/compiler.ts";
import { type ChangedFile, readDiffs } from "../source/diffs/diff-input.ts";
import type { DiffText } from "../source/diffs/diff-parse.ts";
import { changesOf, layOutView, viewDirectory } from "../source/tree.ts";
import { compileInProgramView } from "../subject/program/compile.ts";
import { openProgram, type ProgramChoice } from "../subject/program/open-program.ts";
import { compileProgramOriginal } from "../subject/program/originals.ts";
import type { Program, ProgramUnit } from "../subject/program/program.ts";
import { affectedProgramUnits } from "../subject/program/units/affected.ts";
import { withCopies } from "../subject/program/units/copies.ts";
import { programRules } from "../subject/program/units/file-rules.ts";
import { readSourceReads } from "../subject/program/units/source-reads.ts";
import { type Audit, audited } from "./audit.ts";
import { type FileEffects, stateIn } from "./file-effects.ts";
import type { PlainOptions, PlainPair } from "./kernel-units.ts";
import { isLinkedInto, isSurelyLinkedInto } from "./linked-variant.ts";
import { codeNames } from "./livepatch-code.ts";
import { programBytesOf } from "./running-bytes.ts";

/**
 * A program's livepatch, and what it is said to be built from: the same diffs, in the
 * same order, and the same build of the program.
 */
export interface ProgramAuditRequest extends PlainOptions {
  readonly livepatch: ElfFile;
  readonly metadata: ProgramMetadata;
  readonly diffs: readonly DiffText[];
  readonly strip: number | undefined;
  readonly program: ProgramChoice;
}

/**
 * Compiles and compares every unit that the diffs reach and that the livepatch has a
 * proof of, or that is seen in what ships though the livepatch does not name it. Throws
 * `DOES_NOT_COMPILE`, and what opening the program and reading the diffs throw.
 */
export async function auditProgramLivepatch(request: ProgramAuditRequest): Promise<Audit> {
  const { livepatch, metadata, cache, progress, signal, jobs } = request;
  const program = await openProgram(request.program, request.diffs, { cache, progress, signal });
  const sources = new Set(program.units.map(({ source }) => source));
  const input = await readDiffs(request.diffs, {
    tree: program.tree,
    isUnit: async (path) => sources.has(path),
    leftOut: [],
    strip: request.strip,
    rules: programRules,
  });
  const files = withCopies(program, input.files);
  const affected = await affectedProgramUnits(program, files, {
    cache,
    jobs,
    progress,
    signal,
    reads: readSourceReads(program.tree),
  });
  const proved = new Set(metadata.proofs.map(({ source }) => source));
  const missed = await linkedUnits(
    program,
    affected.units.filter(({ source }) => !proved.has(source)),
    request,
  );
  const compared = affected.units.filter((unit) => proved.has(unit.source) || missed.has(unit));
  const pairs = await plainPairs(program, compared, files, request);
  progress.step("compare");
  const linked = linkedOnly(pairs, program);
  const code = {
    file: livepatch,
    objects: new Set([...metadata.objects.map(({ name }) => name), ...metadata.needs.map(({ object }) => object)]),
    writes: () => false,
    running: programBytesOf(program.shipped),
    isOff: () => false,
    own: new Set<string>(),
  };
  const running = new Set(
    program.shipped.flatMap(({ file }) =>
      [...file.symbols, ...file.dynamicSymbols].filter(({ binding }) => binding !== STB.LOCAL).map(({ name }) => name),
    ),
  );
  const audit = audited({
    name: metadata.name,
    pairs: linked,
    files,
    code,
    sizes: {},
    claims: {
      metadata,
      objects: metadata.objects,
      effects: effectsOf(metadata, codeNames(code), archOf(livepatch).elf.words),
      isRunning: (name) => running.has(name),
    },
  });
  progress.done();
  return audit;
}

/** What suture's own livepatch core goes by is the metadata itself. */
function effectsOf({ objects, states }: ProgramMetadata, code: ReadonlySet<string>, words: Words): FileEffects {
  const callbacks = new Set(objects.flatMap((object) => Object.values(object.callbacks)));
  return {
    redirects: (_, newName) => code.has(newName),
    writes: () => false,
    overwrites: () => false,
    grants(request, targets) {
      if (request.section.name !== ".suture.states")
        return targets.length > 0 && targets.every(({ name }) => callbacks.has(name));
      const { id, version } = stateIn(request, words);
      return states.some((state) => state.id === id && state.version === version);
    },
  };
}

/** Of units of which the livepatch says that they are no part of the program, those that are in what ships. */
async function linkedUnits(
  program: Program,
  units: readonly ProgramUnit[],
  { cache, signal, jobs }: PlainOptions,
): Promise<ReadonlySet<ProgramUnit>> {
  const shipped = program.shipped.map(({ file }) => file);
  const linked = await mapParallel(
    units,
    jobs,
    async (unit, _, both) => {
      const compiler = await compilerNamed(unit.command.compiler, cache, both);
      const original = await compileProgramOriginal(unit, cache, { compiler, variant: "plain", signal: both });
      if (original.kind !== "compiled") return [];
      return isSurelyLinkedInto(await objectOf(original, unit.source), shipped) ? [unit] : [];
    },
    signal,
  );
  return new Set(linked.flat());
}

/** Of sources that are compiled in several ways, what ships is what counts; where it cannot be told, all. */
function linkedOnly(pairs: readonly PlainPair[], program: Program): PlainPair[] {
  const shipped = program.shipped.map(({ file }) => file);
  const sources = [...new Set(pairs.map(({ source }) => source))];
  return sources.flatMap((source) => {
    const ways = pairs.filter((each) => each.source === source);
    if (ways.length === 1) return ways;
    const linked = ways.filter(({ original }) => original !== undefined && isLinkedInto(original, shipped));
    return linked.length === 0 ? ways : linked;
  });
}

async function plainPairs(
  program: Program,
  units: readonly ProgramUnit[],
  files: readonly ChangedFile[],
  { cache, progress, signal, jobs }: PlainOptions,
): Promise<PlainPair[]> {
  progress.step(`compile ${units.length === 1 ? units[0]?.source : `${units.length} files`} as shipped`);
  await using views = await viewDirectory();
  await using objects = await temporaryDirectory();
  const view = layOutView(program.tree, views.path, changesOf(files, true));
  return await mapParallel(
    units,
    jobs,
    async (unit, index, both) => {
      const compiler = await compilerNamed(unit.command.compiler, cache, both);
      const options = { compiler, variant: "plain", signal: both } as const;
      const original = await compileProgramOriginal(unit, cache, options);
      const into = join(objects.path, `${index}.o`);
      const patched = await compileInProgramView(unit, { tree: program.tree, view }, into, options);
      const { source } = unit;
      return {
        source,
        objects: [],
        original: await objectOf(original, source),
        patched: await objectOf(patched, source),
      };
    },
    signal,
  );
}

async function objectOf(result: CompileResult, source: string): Promise<ElfFile> {
  if (result.kind === "compiled") return readElf(await readFile(result.object), source);
  throw new SutureError("DOES_NOT_COMPILE", `${source} does not compile:\n${result.output.trimEnd()}`, {
    where: source,
    hint: "give the diffs that the livepatch was built from",
  });
}
