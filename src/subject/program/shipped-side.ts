/** A program as it was shipped: what originals are proved against, and new code is linked to. */
import { readFile } from "node:fs/promises";
import type { CompiledPair, Run, ShippedSide } from "../../builder/subject.ts";
import { isState, layoutFindings, untoldTypes, variableRefusals } from "../../builder/type-changes.ts";
import { diffUnits } from "../../diff/object-diff.ts";
import type { DiffOptions } from "../../diff/options.ts";
import { readUnit } from "../../diff/read-unit.ts";
import { isLinked } from "../../diff/selection.ts";
import type { Unit as ObjectUnit } from "../../diff/unit.ts";
import type { ElfFile } from "../../elf/model.ts";
import { readElf } from "../../elf/read.ts";
import { SutureError } from "../../lib/error.ts";
import { mapParallel } from "../../lib/parallel.ts";
import { findingsOf } from "../../patch/findings.ts";
import type { Note } from "../../patch/metadata.ts";
import type { ProgramMetadata } from "../../patch/program-metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { compilerNamed } from "../../provider/toolchain/compiler.ts";
import { alignmentRefusals } from "./alignments.ts";
import { callerBoundRefusals } from "./caller-bound.ts";
import { classLayoutRefusals } from "./class-layouts.ts";
import { ifuncRefusals } from "./findings.ts";
import { whyNoHookIn } from "./hooks.ts";
import { mayHaveData, partsBeside } from "./match/data-alone.ts";
import { isOtherVariant, mayBePart, type ProgramProof, partsOf, proveIn, reasonOf, standsIn } from "./match/prove.ts";
import { newExports } from "./new-exports.ts";
import { numberedRefusals } from "./numbered.ts";
import { compileProgramOriginal } from "./originals.ts";
import type { Program, ProgramUnit } from "./program.ts";
import { homesOf, type ProgramUnitDiff } from "./unit-diff.ts";
import type { SourceReads } from "./units/source-reads.ts";

/**
 * Answers from the files that ship, which the program has open. A unit that is in none
 * of them is left out with a note. It is refused (`NOT_IN_PROGRAM`) where that leaves
 * nothing, and where it may be in one after all: half of a fix is none.
 */
export function shippedSide(
  program: Program,
  reads: SourceReads,
  run: Run,
): ShippedSide<ProgramUnit, ProgramUnitDiff, ProgramMetadata> {
  const { watch } = run;
  return {
    readUnit: programUnit,
    linkedIn: ({ proof: { shipped } }) => ({
      object: shipped.object,
      whatHas(name) {
        if (shipped.places(name).some(({ isGlobal }) => isGlobal)) return `${shipped.object} has one already`;
        // Its own would come before that of a library.
        if (shipped.imports(name)) return `${shipped.object} is bound to one of a library, or to none`;
        // What is stripped does not tell.
        return reads.isBesideWeak(name) ? `${shipped.object} may have a weak one` : undefined;
      },
    }),
    async proveAndDiff(pairs) {
      const proved = await provedPairs(pairs, program, run);
      const ofCode = proved.flatMap(({ proofs }) => partsOf(proofs));
      const allParts = proved.flatMap(({ proofs }) => partsBeside(proofs, ofCode));
      const notes: Note[] = [];
      const doubtful: Refusal[] = [];
      const parts: Part[] = [];
      for (const { pair, proofs } of proved) {
        const found = partsBeside(proofs, ofCode);
        // Of a source that is compiled twice the other one may be what was linked into an object.
        const isIn = ({ source, shipped }: ProgramProof): boolean =>
          allParts.some((part) => part.source === source && part.shipped === shipped);
        const rest = proofs.filter((proof) => !isIn(proof));
        if (found.length === 0) {
          const note = await notInProgram(pair.unit, proofs);
          if (rest.some((proof) => mayBePart(proof, allParts) || mayHaveData(proof)))
            doubtful.push(notInAny(note.text, program));
          else notes.push(note);
        } else {
          const alike = rest.find((proof) => standsIn(proof, allParts));
          if (alike !== undefined) doubtful.push(mayBeInToo(alike));
        }
        const own = found.filter((proof) => !isOtherVariant(proof, allParts));
        parts.push(...watch.time("diff", () => own.map((proof) => partOf(pair, proof))));
      }
      const diffs = watch.time("diff", () => diffsOf(parts));
      const refusals = [...doubtful, ...(diffs.length > 0 ? [] : notes.map(({ text }) => notInAny(text, program)))];
      return { diffs, findings: findingsOf({ refusals, notes }) };
    },
    async check(pair, own, { files }) {
      const refusals = own.flatMap((each) => [...ifuncRefusals(each), ...numberedRefusals(each.diff, files)]);
      if (!own.some(({ diff }) => isLinked(diff.selection))) return { refusals };
      const { unit, originalFile, patchedFile } = pair;
      const ofUnit = own.map(({ diff }) => diff);
      const runs = (name: string) => ofUnit.some((diff) => isState(diff, name));
      // Either tells of all that is compared.
      const classes =
        untoldTypes(pair, [".BTF"]).length > 0
          ? watch.time("types", () => classLayoutRefusals(unit.source, originalFile, patchedFile, runs))
          : [];
      const { refusals: layouts, notes } = layoutFindings(pair, watch);
      const bound = own.flatMap(callerBoundRefusals);
      const exported = own.map(({ diff, proof }) => newExports(diff, proof.shipped.file));
      const untold = untoldTypes(pair, [".BTF", ".debug_info"]);
      const aligned = watch.time("types", () => alignmentRefusals(unit.source, originalFile, patchedFile));
      const variables = variableRefusals(pair, ofUnit, watch);
      const types = { refusals: [...untold, ...layouts, ...variables, ...classes, ...aligned], notes };
      return findingsOf(types, { refusals: [...refusals, ...bound] }, ...exported);
    },
    async link(diffs, wanted) {
      const { linkForProgram } = await import("./link.ts");
      return await linkForProgram(diffs, wanted, { program, reads, run });
    },
  };
}

interface Proved {
  readonly pair: CompiledPair<ProgramUnit>;
  /** One for each file that ships. */
  readonly proofs: readonly ProgramProof[];
}

async function provedPairs(
  pairs: readonly CompiledPair<ProgramUnit>[],
  program: Program,
  { cache, jobs, progress, signal, watch }: Run,
): Promise<Proved[]> {
  const files = await mapParallel(
    pairs,
    jobs,
    async ({ unit }, _, both) => {
      const compiler = await compilerNamed(unit.command.compiler, cache, both);
      const plain = await compileProgramOriginal(unit, cache, { compiler, variant: "plain", signal: both });
      if (plain.kind === "compiled") return readElf(await readFile(plain.object), unit.source);
      // It did a moment ago, for `compileOriginal`.
      throw new SutureError("ORIGINAL_DOES_NOT_COMPILE", `${unit.source} does not compile any more as it was built`, {
        where: unit.source,
      });
    },
    signal,
  );
  return pairs.map((pair, i) => {
    const proofs = watch.time("match", () =>
      program.shipped.map((shipped) => proveIn(pair.unit.source, files[i] as ElfFile, shipped)),
    );
    progress.tick(i + 1, pairs.length);
    return { pair, proofs };
  });
}

/** A unit in one object that it is part of. */
interface Part {
  readonly unit: ProgramUnit;
  readonly proof: ProgramProof;
  readonly original: ObjectUnit;
  readonly patched: ObjectUnit;
  readonly patchedFile: ElfFile;
}

function partOf({ unit, originalFile, patchedFile }: CompiledPair<ProgramUnit>, proof: ProgramProof): Part {
  return { unit, proof, original: programUnit(originalFile), patched: programUnit(patchedFile), patchedFile };
}

function programUnit(file: ElfFile): ObjectUnit {
  return readUnit(file, {}, "program");
}

function diffsOf(parts: readonly Part[]): ProgramUnitDiff[] {
  const homes = homesOf(parts.map(({ original, proof }) => ({ atoms: original.atoms, proof })));
  return parts.map(({ unit, proof, original, patched, patchedFile }) => {
    const options: DiffOptions = {
      isModule: false,
      needsHook: false,
      whyNoHook: (atom) => whyNoHookIn(atom, homes.get(atom) ?? proof),
    };
    return { unit, diff: diffUnits(original, patched, options), options, proof, patched: patchedFile };
  });
}

function notInAny(text: string, { shipped }: Program) {
  const paths = shipped.map(({ path }) => path).join(", ");
  const hint = "name the file that runs with --exe, and the commands that it was built with";
  return refusal("NOT_IN_PROGRAM", text, paths, hint);
}

function mayBeInToo({ source, shipped }: ProgramProof): Refusal {
  const what = `all code of ${source} stands in ${shipped.object} too, and it is too little to tell whether it is part of that`;
  return refusal("NOT_IN_PROGRAM", what, shipped.path, "name with --exe only the files that it is linked into");
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
