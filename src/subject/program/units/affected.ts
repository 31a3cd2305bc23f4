/** Which translation units of a program the changed files reach. */
import { dirname } from "node:path";
import {
  type AskOptions,
  askUnits,
  assemblyRefusal,
  mayBeIncludedByChange,
  removedRefusal,
} from "../../../builder/reached-units.ts";
import type { Cache } from "../../../lib/cache.ts";
import type { Note } from "../../../patch/metadata.ts";
import { type Refusal, refusal } from "../../../patch/refusal.ts";
import { compilerNamed } from "../../../provider/toolchain/compiler.ts";
import type { ChangedFile } from "../../../source/diffs/diff-input.ts";
import type { Program, ProgramUnit } from "../program.ts";
import type { SourceReads } from "./source-reads.ts";
import { hasSameTokens } from "./tokens.ts";

/** Units to be compiled, each once, in the program's order. */
export interface AffectedProgramUnits {
  readonly units: readonly ProgramUnit[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
}

interface AffectedOptions extends AskOptions {
  readonly cache: Cache;
  readonly reads: SourceReads;
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
    else if (file.patched === undefined) refusals.push(removedRefusal(file.path, "program"));
    else for (const unit of units) own.add(unit);
  }
  const readers = options.reads.readersOf(files.map(({ path }) => path));
  const reaching = program.units.filter((unit) => readers.has(unit.source) && !own.has(unit));
  const assembly = assemblyUnits(program, readers);
  const asked = [...reaching, ...assembly];
  const isSame = await askUnits(asked, { tree: program.tree, files }, options, async (unit, view, signal) => {
    const compiler = await compilerNamed(unit.command.compiler, options.cache, signal);
    return await hasSameTokens(unit, { tree: program.tree, view }, compiler, signal);
  });
  const reached = asked.filter((_, i) => !isSame[i]);
  const reading = reached.filter((unit) => assembly.includes(unit)).map(({ source }) => source);
  if (reading.length > 0) refusals.push(assemblyRefusal(reading));
  const changed = reached.filter((unit) => !assembly.includes(unit));
  for (const { path } of files) if (options.reads.isEmbedded(path)) refusals.push(embeddedRefusal(path));
  for (const file of included) {
    const { path } = file;
    const hasCopies = files.some((each) => each.path.endsWith(`/${path}`));
    const isReached = changed.length > 0 || hasCopies || mayBeIncludedByChange(file, files);
    if (isReached) continue;
    notes.push(
      options.reads.readersOf([path]).size > 0
        ? { code: "NOT_REACHED", text: `what changes in ${path} is used by no file that includes it` }
        : { code: "NOT_BUILT", text: `${path} is in no file that was compiled; its change is left out` },
    );
  }
  const order = program.units;
  const units = [...own, ...changed].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  return { units, refusals, notes };
}

/** As if it were C of its directory: how it was assembled is not known. */
function assemblyUnits({ units }: Program, readers: ReadonlySet<string>): ProgramUnit[] {
  return [...readers]
    .filter((path) => path.endsWith(".S"))
    .flatMap((source) => {
      const near = units.find((unit) => dirname(unit.source) === dirname(source)) ?? units[0];
      if (near === undefined || !near.command.source.endsWith(near.source)) return [];
      const before = near.command.source.slice(0, -near.source.length);
      const command = {
        ...near.command,
        source: `${before}${source}`,
        args: [...near.command.args, "-D__ASSEMBLER__"],
      };
      return [{ ...near, source, command }];
    });
}

function embeddedRefusal(path: string): Refusal {
  return refusal(
    "EMBEDDED_FILE_CHANGED",
    `${path} is taken into an object as it is, and the running one has what it held`,
    path,
    "leave it as it is, and decide in code",
  );
}
