/** Whether what ships was built without a diff: told by the code that the diff changes, whether or not it could be patched. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { compileUnits } from "../../builder/compile-units.ts";
import { Stopwatch } from "../../builder/stopwatch.ts";
import type { CompiledPair, Run, Workplace } from "../../builder/subject.ts";
import { compare } from "../../diff/compare.ts";
import { correlate } from "../../diff/correlate.ts";
import { readUnit } from "../../diff/read-unit.ts";
import { readElf } from "../../elf/read.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { compilerNamed } from "../../provider/toolchain/compiler.ts";
import type { DiffText } from "../../source/diffs/diff-parse.ts";
import { changesOf, layOutView, viewDirectory } from "../../source/tree.ts";
import { compileInProgramView } from "./compile.ts";
import { isOtherVariant, mayBePart, type ProgramProof, partsOf, proveIn } from "./match/prove.ts";
import { compileProgramOriginal } from "./originals.ts";
import type { Program, ProgramUnit } from "./program.ts";
import { programSubject } from "./program-subject.ts";
import type { ShippedProgram } from "./shipped/shipped-program.ts";

/**
 * `yes`: functions that the diff changes are, as they are without it, byte for byte what ships, and none is otherwise
 * there. `no`: one of them is there otherwise, or as the diff has it. `same`: no code and no data of what ships differs
 * with it. `unclear`: what differs is not compared (data alone, code that is to be found in neither form, what does
 * not compile).
 */
export type Lacks = "yes" | "no" | "same" | "unclear";

/** @param program with the source as it is without the diff. Throws what reading and applying the diff throws. */
export async function lacks(program: Program, diff: DiffText, options: Omit<Run, "watch">): Promise<Lacks> {
  const run = { ...options, watch: new Stopwatch() };
  const subject = programSubject(program, run);
  const { files } = await subject.readDiffs([diff], undefined);
  const { units, refusals = [] } = await subject.affectedUnits(
    { files, makefiles: [], refusals: [], notes: [] },
    async () => [],
  );
  await using views = await viewDirectory();
  await using objects = await temporaryDirectory();
  const workplace = { files, view: layOutView(program.tree, views.path, changesOf(files)), into: objects.path };
  const compiled = await compileUnits(units, subject, workplace, run);
  const proved: { readonly pair: CompiledPair<ProgramUnit>; readonly proofs: readonly ProgramProof[] }[] = [];
  for (const pair of compiled.pairs) proved.push({ pair, proofs: await proofsOf(pair.unit, program, run) });
  const all = proved.flatMap(({ proofs }) => partsOf(proofs));
  const found = new Set<Lacks>();
  if (refusals.length + compiled.refusals.length > 0) found.add("unclear");
  for (const [i, { pair, proofs }] of proved.entries()) {
    const parts = partsOf(proofs);
    const isOther = all.some(({ source }) => source === pair.unit.source);
    if (parts.length === 0 && !isOther && proofs.some(mayBePart)) found.add("no");
    for (const proof of parts.filter((each) => !isOtherVariant(each, all))) {
      const { told, absent } = lackedIn(pair, proof);
      found.add(told);
      if (absent.length === 0) continue;
      const asPatched = await patchedProof(
        pair.unit,
        proof.shipped,
        { ...workplace, into: join(objects.path, `with-${i}`) },
        { ...run, tree: program.tree },
      );
      if (absent.some((name) => asPatched?.match.proved.has(name) === true)) found.add("no");
    }
  }
  return (["no", "yes", "unclear"] as const).find((each) => found.has(each)) ?? "same";
}

async function proofsOf(unit: ProgramUnit, { shipped }: Program, { cache, signal }: Run): Promise<ProgramProof[]> {
  const compiler = await compilerNamed(unit.command.compiler, cache, signal);
  const plain = await compileProgramOriginal(unit, cache, { compiler, variant: "plain", signal });
  if (plain.kind !== "compiled") return [];
  const file = readElf(await readFile(plain.object), unit.source);
  return shipped.map((each) => proveIn(unit.source, file, each));
}

/** Of the unit with the diff in it; undefined where it does not compile. */
async function patchedProof(
  unit: ProgramUnit,
  shipped: ShippedProgram,
  { view, into }: Pick<Workplace, "view" | "into">,
  { tree, cache, signal }: Pick<Run, "cache" | "signal"> & Pick<Program, "tree">,
): Promise<ProgramProof | undefined> {
  const compiler = await compilerNamed(unit.command.compiler, cache, signal);
  const object = join(into, "unit.o");
  const result = await compileInProgramView(unit, { tree, view }, object, { compiler, variant: "plain", signal });
  if (result.kind !== "compiled") return undefined;
  return proveIn(unit.source, readElf(await readFile(object), unit.source), shipped);
}

interface Lacked {
  readonly told: Lacks;
  /** Names of functions that differ with the diff, and are not there as they are without it. */
  readonly absent: readonly string[];
}

/** In one file of which the unit is a part. */
function lackedIn(
  { originalFile, patchedFile }: CompiledPair<ProgramUnit>,
  { match: { proved, mismatches } }: ProgramProof,
): Lacked {
  const original = readUnit(originalFile, {}, "program");
  const patched = readUnit(patchedFile, {}, "program");
  const pairing = correlate(original, patched, { isModule: false });
  const changed = [...compare(patched, pairing).differences.keys()].map((atom) => pairing.originalOf.get(atom));
  const gone = original.atoms.filter((atom) => atom.kind === "function" && !pairing.patchedOf.has(atom));
  const names = [...changed, ...gone].flatMap((atom) =>
    atom?.kind === "function" ? atom.symbols.map(({ name }) => name) : [],
  );
  const absent = names.filter((name) => mismatches.get(name)?.kind === "absent");
  const isOtherwiseThere = (name: string): boolean => ["bytes", "target"].includes(mismatches.get(name)?.kind ?? "");
  if (names.some(isOtherwiseThere)) return { told: "no", absent };
  if (names.some((name) => proved.has(name))) return { told: "yes", absent };
  return { told: changed.length + gone.length === 0 ? "same" : "unclear", absent };
}
