/**
 * What new code takes for granted of functions that stay as they are: which
 * registers they leave alone, which memory, which arguments they are given. The
 * compiler knows it of all functions of a file, and another livepatch may replace
 * them. Names of what is called are found here; what is found goes with the
 * livepatch, and such a one is not loaded beside it.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { compare } from "../diff/compare.ts";
import { correlate } from "../diff/correlate.ts";
import { isBranch } from "../diff/hooks.ts";
import { isCold } from "../diff/names.ts";
import type { ObjectDiff } from "../diff/object-diff.ts";
import { type Atom, isCode, type Unit } from "../diff/unit.ts";
import type { ElfFile } from "../elf/model.ts";
import { readElf } from "../elf/read.ts";
import { mapParallel } from "../lib/parallel.ts";
import type { Compiler } from "../provider/toolchain/compiler.ts";
import { isClang } from "../provider/toolchain/compiler-names.ts";
import type { Compiling, Run, SourceUnit, UnitDiff, Workplace } from "./subject.ts";

/** By GCC's manual what it has to be told where functions may be replaced alone. */
const APART = "-flive-patching=inline-clone";

interface Rereading<SomeUnit extends SourceUnit> {
  readonly compiling: Compiling<SomeUnit>;
  readonly readUnit: (file: ElfFile) => Unit;
}

/** Names of the functions on whose code, as it is, new code relies; only of diffs that have any. */
export async function reliedFunctions<SomeUnit extends SourceUnit, Each extends UnitDiff<SomeUnit>>(
  diffs: readonly Each[],
  { compiling, readUnit }: Rereading<SomeUnit>,
  workplace: Workplace,
  { jobs, signal }: Run,
): Promise<ReadonlyMap<Each, readonly string[]>> {
  const calling = diffs.filter(({ diff }) => calledOriginals(diff).length > 0);
  const relied = await mapParallel(
    [...new Set(calling.map(({ unit }) => unit))],
    jobs,
    async (unit, index, both) => {
      const into = join(workplace.into, `apart-${index}`);
      const file = await compiledApart(unit, compiling, { ...workplace, into }, both);
      const apart = file === undefined ? undefined : readUnit(file);
      return calling.filter((each) => each.unit === unit).map((each) => [each, reliesOn(each.diff, apart)] as const);
    },
    signal,
  );
  return new Map(relied.flat().filter(([, names]) => names.length > 0));
}

/** The patched unit without the compiler's knowledge of its other functions; undefined where it cannot be had. */
async function compiledApart<SomeUnit extends SourceUnit>(
  unit: SomeUnit,
  compiling: Compiling<SomeUnit>,
  { view, into }: Workplace,
  signal: AbortSignal,
): Promise<ElfFile | undefined> {
  const more = apartOptions(await compiling.compilerOf(unit, signal));
  if (more === undefined) return undefined;
  await mkdir(into);
  const result = await compiling.compileInView(unit, { view, into, more }, signal);
  return result.kind === "compiled" ? readElf(await readFile(result.object), unit.source) : undefined;
}

/** Options by which a file is compiled without that knowledge; undefined where the compiler has none. */
function apartOptions(compiler: Compiler): string[] | undefined {
  return isClang(compiler) ? undefined : [APART];
}

/** Functions of the unit that new code calls, and that stay. */
function calledOriginals({ selection }: ObjectDiff): Atom[] {
  const called = new Set<Atom>();
  for (const { references } of selection.pieces)
    for (const { destination, isBranch: isCall } of references)
      if (isCall && destination.kind === "original" && destination.atom.kind === "function")
        called.add(destination.atom);
  for (const { original } of selection.funcs) called.delete(original);
  return [...called];
}

/**
 * Names of the functions on whose code, as it is, the new code relies.
 * @param apart the patched unit without that knowledge; undefined where it cannot be had
 */
function reliesOn(diff: ObjectDiff, apart: Unit | undefined): string[] {
  const called = calledOriginals(diff);
  const own = new Set(diff.selection.funcs.map(({ original }) => original));
  const relied = apart !== undefined && isSameCode(diff, apart) ? called.filter(isClone) : called;
  const all = new Set<Atom>();
  const waiting = [...relied];
  for (let atom = waiting.pop(); atom !== undefined; atom = waiting.pop()) {
    if (all.has(atom)) continue;
    all.add(atom);
    for (const reference of atom.references)
      if (reference.target.kind === "atom" && reference.target.atom.kind === "function" && isBranch(atom, reference))
        waiting.push(reference.target.atom);
  }
  return [...all].filter((atom) => !own.has(atom) && !isCold(atom.name)).map(({ name }) => name);
}

function isSameCode({ patched, selection }: ObjectDiff, apart: Unit): boolean {
  const pairing = correlate(apart, patched, { isModule: false });
  const { differences } = compare(patched, pairing);
  return selection.pieces
    .filter(({ atom }) => isCode(atom))
    .every(({ atom }) => pairing.originalOf.has(atom) && !differences.has(atom));
}

/** Made for how it is called: another version of the file may have one of the same name that is called otherwise. */
function isClone({ name }: Atom): boolean {
  return /\.(isra|constprop|part)\.\d+/.test(name);
}
