/** Which of the functions that a diff changes what ships has without it, and which with it, whether or not the diff could be patched. */
import { readFile } from "node:fs/promises";
import { compileUnits } from "../../builder/compile-units.ts";
import { Stopwatch } from "../../builder/stopwatch.ts";
import type { CompiledPair, Run } from "../../builder/subject.ts";
import { compare } from "../../diff/compare.ts";
import { correlate } from "../../diff/correlate.ts";
import { readUnit } from "../../diff/read-unit.ts";
import { readElf } from "../../elf/read.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { compilerNamed } from "../../provider/toolchain/compiler.ts";
import type { DiffText } from "../../source/diffs/diff-parse.ts";
import { changesOf, layOutView, viewDirectory } from "../../source/tree.ts";
import { mayHaveData, partsBeside } from "./match/data-alone.ts";
import { isOtherVariant, mayBePart, type ProgramProof, partsOf, proveIn } from "./match/prove.ts";
import { compileProgramOriginal } from "./originals.ts";
import type { Program, ProgramUnit } from "./program.ts";
import { programSubject } from "./program-subject.ts";

/**
 * `without`, `with`: byte for byte as the source has it without or with the diff. `neither`: it is there, otherwise.
 * `absent`: it is not to be found.
 */
export type ShippedForm = "without" | "with" | "neither" | "absent";

/** What a diff changes of what ships. */
export interface ChangedCode {
  /** By function, with its file and the object that it is in. Empty where the diff changes none. */
  readonly forms: ReadonlyMap<string, ShippedForm>;
  /** Data differs, or a file does not compile: what ships was not compared with that. */
  readonly isMore: boolean;
}

/** One program by its source without a diff, and by that with it. */
export interface BothSources {
  readonly program: Program;
  /** As it was compiled: a diff that is laid over the other one keeps that one's line numbers. */
  readonly withIt: Program;
}

/** Throws what reading and applying the diff throws. */
export async function changedCode(
  { program, withIt }: BothSources,
  diff: DiffText,
  options: Omit<Run, "watch">,
): Promise<ChangedCode> {
  const run = { ...options, watch: new Stopwatch() };
  const subject = programSubject(program, run);
  const input = await subject.readDiffs([diff], undefined);
  const { files } = input;
  const { units, refusals = [] } = await subject.affectedUnits(input, async () => []);
  await using views = await viewDirectory();
  await using objects = await temporaryDirectory();
  const workplace = { files, view: layOutView(program.tree, views.path, changesOf(files)), into: objects.path };
  const compiled = await compileUnits(units, subject, workplace, run);
  const proved: Proved[] = [];
  for (const pair of compiled.pairs) proved.push({ pair, proofs: await originalProofs(pair.unit, program, run) });
  const ofCode = proved.flatMap(({ proofs }) => partsOf(proofs));
  const all = proved.flatMap(({ proofs }) => partsBeside(proofs, ofCode));
  const forms = new Map<string, ShippedForm>();
  let isMore = refusals.length + compiled.refusals.length > 0;
  for (const { pair, proofs } of proved) {
    const parts = partsBeside(proofs, ofCode).filter((each) => !isOtherVariant(each, all));
    const isOther = all.some(({ source }) => source === pair.unit.source);
    const isDoubtful =
      parts.length === 0 && !isOther && proofs.some((proof) => mayBePart(proof, all) || mayHaveData(proof));
    if (parts.length === 0 && !isDoubtful) continue;
    const changed = changesIn(pair);
    isMore ||= changed.isMore;
    const patched = await originalProofs(sameUnit(pair.unit, program, withIt), withIt, run);
    for (const proof of isDoubtful ? proofs : parts) {
      const other = patched.find(({ shipped }) => shipped.path === proof.shipped.path);
      for (const name of changed.functions)
        forms.set(`${name} of ${proof.source} in ${proof.shipped.object}`, formOf(name, proof, other));
    }
  }
  return { forms, isMore };
}

interface Proved {
  readonly pair: CompiledPair<ProgramUnit>;
  /** One for each file that ships. */
  readonly proofs: readonly ProgramProof[];
}

/** Of a unit that one of the sources does not have there are none. */
async function originalProofs(
  unit: ProgramUnit | undefined,
  { shipped }: Program,
  { cache, signal }: Run,
): Promise<ProgramProof[]> {
  if (unit === undefined) return [];
  const compiler = await compilerNamed(unit.command.compiler, cache, signal);
  const plain = await compileProgramOriginal(unit, cache, { compiler, variant: "plain", signal });
  if (plain.kind !== "compiled") return [];
  const file = readElf(await readFile(plain.object), unit.source);
  return shipped.map((each) => proveIn(unit.source, file, each));
}

/** A source may be compiled several times, in the same order in both. */
function sameUnit(unit: ProgramUnit, { units }: Program, other: Program): ProgramUnit | undefined {
  const [own, theirs] = [units, other.units].map((all) => all.filter(({ source }) => source === unit.source));
  return theirs?.[own?.indexOf(unit) ?? -1];
}

/** Names of the original's functions that differ with the diff, or are gone. */
function changesIn({ originalFile, patchedFile }: CompiledPair<ProgramUnit>): {
  readonly functions: readonly string[];
  readonly isMore: boolean;
} {
  const original = readUnit(originalFile, {}, "program");
  const patched = readUnit(patchedFile, {}, "program");
  const pairing = correlate(original, patched, { isModule: false });
  const differing = [...compare(patched, pairing).differences.keys()].flatMap(
    (atom) => pairing.originalOf.get(atom) ?? [],
  );
  const gone = original.atoms.filter((atom) => atom.kind === "function" && !pairing.patchedOf.has(atom));
  const functions = [...differing, ...gone].filter(({ kind }) => kind === "function");
  return {
    functions: functions.flatMap(({ symbols }) => symbols.map(({ name }) => name)),
    isMore: functions.length < differing.length + gone.length,
  };
}

function formOf(name: string, without: ProgramProof, patched: ProgramProof | undefined): ShippedForm {
  if (without.match.proved.has(name)) return "without";
  if (patched?.match.proved.has(name) === true) return "with";
  return without.match.mismatches.get(name)?.kind === "absent" ? "absent" : "neither";
}
