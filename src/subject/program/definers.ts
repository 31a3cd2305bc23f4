/** Units that the diff does not touch, and that define what the patched code newly refers to: proved, they say where it lies. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { alreadyDefined, freshGlobals } from "../../builder/across-units.ts";
import { SHF, STB, STT } from "../../elf/constants.ts";
import type { ElfFile } from "../../elf/model.ts";
import { readElf } from "../../elf/read.ts";
import type { Cache } from "../../lib/cache.ts";
import { mapParallel } from "../../lib/parallel.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { elfHead, isForHost } from "../../provider/program/machine.ts";
import { compilerNamed } from "../../provider/toolchain/compiler.ts";
import { isOtherVariant, type ProgramProof, partsOf, proveIn } from "./match/prove.ts";
import { compileProgramOriginal } from "./originals.ts";
import type { Program, ProgramUnit } from "./program.ts";
import type { ProgramUnitDiff } from "./unit-diff.ts";
import type { SourceReads } from "./units/source-reads.ts";

/** Proofs of units beside the diff's, by which names are found that new code refers to for the first time. */
export interface Definers {
  readonly proofs: readonly ProgramProof[];
  /**
   * By name of the object: what it defines itself, so that no library's
   * definition of the name is the one that its own code would be linked to.
   */
  readonly own: ReadonlyMap<string, ReadonlySet<string>>;
  /** Refusals for names that the linker would bind otherwise than it looks. */
  readonly refusals: readonly Refusal[];
}

/** What the linker has put in a name's place that it was told to wrap. */
function wrapperOf(name: string): string {
  return `__wrap_${name}`;
}

interface Options {
  readonly cache: Cache;
  readonly jobs: number;
  readonly signal: AbortSignal | undefined;
}

/** Compiles only units that may define such a name; where there is none, nothing. */
export async function definersFor(
  program: Program,
  diffs: readonly ProgramUnitDiff[],
  reads: Pick<SourceReads, "isWrapped">,
  { cache, jobs, signal }: Options,
): Promise<Definers> {
  const wrapped = diffs.flatMap((each) =>
    newlyReferred(each)
      .filter((name) => reads.isWrapped(name) || each.proof.shipped.places(wrapperOf(name)).length > 0)
      .map((name) => ({ each, name })),
  );
  const fresh = diffs.flatMap((each) => freshGlobals(each.diff).map(({ name, atom }) => ({ each, name, atom })));
  const wanted = new Set([
    ...diffs.flatMap(newNames),
    ...wrapped.map(({ name }) => wrapperOf(name)),
    ...fresh.map(({ name }) => name),
  ]);
  const touched = new Set(diffs.map(({ unit }) => unit.source));
  const units = wanted.size === 0 ? [] : await definers(program, wanted, touched);
  const proofs = await mapParallel(
    units,
    jobs,
    async (unit, _, both) => {
      const compiler = await compilerNamed(unit.command.compiler, cache, both);
      const compiled = await compileProgramOriginal(unit, cache, { compiler, variant: "plain", signal: both });
      if (compiled.kind !== "compiled" || !isForHost(elfHead(compiled.object) ?? Buffer.alloc(0))) return [];
      const file = readElf(await readFile(compiled.object), unit.source);
      return program.shipped.map((shipped) => ({ ...proveIn(unit.source, file, shipped), unit }));
    },
    signal,
  );
  const all = proofs.flatMap(partsOf);
  const parts = all.filter((proof) => !isOtherVariant(proof, all));
  const own = new Map<string, Set<string>>();
  // Where much of a unit is in another form than its source, what little is there speaks for its being there too.
  for (const { shipped, object } of proofs.flat().filter(({ match }) => match.proved.size > 0)) {
    const names = own.get(shipped.object) ?? new Set();
    for (const name of wanted) if (isDefinedIn(object.file, name)) names.add(name);
    own.set(shipped.object, names);
  }
  const refusals = [
    ...wrapped
      .filter(({ each: { proof }, name }) => {
        const wrapper = wrapperOf(name);
        return proof.shipped.places(wrapper).length > 0 || own.get(proof.shipped.object)?.has(wrapper) === true;
      })
      .map(({ each, name }) => boundToWrapper(name, each)),
    ...fresh.flatMap(({ each, name, atom }) => {
      const other = proofs
        .flat()
        .find(
          ({ shipped, object, match }) =>
            shipped === each.proof.shipped &&
            (match.proved.size > 0 || !hasCode(object.file)) &&
            isDefinedIn(object.file, name) &&
            (isYielding(object.file, name) || isYielding(each.patched, name)),
        );
      if (other === undefined) return [];
      const where = each.unit.source;
      return alreadyDefined(
        `${name} (${atom.kind === "function" ? "a function" : "a variable"}) is defined anew, and ${other.unit.source} defines it too, of which the linker takes one: others go on with that`,
        where,
      );
    }),
  ];
  return { proofs: parts, own, refusals };
}

function boundToWrapper(name: string, { unit, proof }: ProgramUnitDiff): Refusal {
  return refusal(
    "SYMBOL_NOT_PROVED",
    `${name} is newly referred to, and ${proof.shipped.object} has ${wrapperOf(name)}: the linker was told to bind the one to the other (--wrap), and for which files is not known`,
    unit.source,
    `call ${wrapperOf(name)} or __real_${name}, whichever is meant`,
  );
}

/** A weak definition gives way to another one, and a common one is the same as another. */
function isYielding({ symbols }: ElfFile, name: string): boolean {
  return symbols.some(
    (each) =>
      each.name === name &&
      each.place.kind !== "undefined" &&
      (each.place.kind === "common" || (each.binding !== STB.LOCAL && each.binding !== STB.GLOBAL)),
  );
}

function hasCode({ sections }: ElfFile): boolean {
  return sections.some(({ flags, size }) => (flags & SHF.EXECINSTR) !== 0 && size > 0);
}

/** Undefined in the patched unit, and not used by the original. */
function newlyReferred({ patched, proof: { object } }: ProgramUnitDiff): string[] {
  const known = new Set(object.file.symbols.map(({ name }) => name));
  return patched.symbols.flatMap(({ name, place, type }) =>
    place.kind !== "undefined" || name === "" || type === STT.SECTION || known.has(name) ? [] : [name],
  );
}

/** Undefined in the patched unit, and neither used by the original nor imported by the object. */
function newNames(each: ProgramUnitDiff): string[] {
  const { shipped } = each.proof;
  return newlyReferred(each).filter((name) => !shipped.imports(name) && shipped.places(name).length === 0);
}

/** By the objects of the build; where one is gone, by the text of its source. */
async function definers(
  { tree, units }: Program,
  wanted: ReadonlySet<string>,
  touched: ReadonlySet<string>,
): Promise<ProgramUnit[]> {
  // A definition starts at the start of a line, whatever its layout.
  const words = [...wanted].map(
    (name) => new RegExp(`^(?!extern\\b)(\\w[^\\n;]*\\b)?${name.replace(/[^\w]/g, "\\$&")}\\b`, "m"),
  );
  const others = units.filter(({ source }) => !touched.has(source));
  const found: ProgramUnit[] = [];
  for (const unit of others) {
    const { object } = unit.command;
    const head = object === undefined ? undefined : elfHead(object);
    if (object !== undefined && head !== undefined && isForHost(head)) {
      const file = readElf(await readFile(object), object);
      if ([...wanted].some((name) => isDefinedIn(file, name))) found.push(unit);
      continue;
    }
    const text = await readFile(join(tree, unit.source), "latin1").catch(() => "");
    if (words.some((word) => word.test(text))) found.push(unit);
  }
  return found;
}

function isDefinedIn({ symbols }: ElfFile, name: string): boolean {
  return symbols.some((each) => each.name === name && each.binding !== STB.LOCAL && each.place.kind !== "undefined");
}
