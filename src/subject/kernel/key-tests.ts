/**
 * Static keys that a module has for itself. A livepatch's jump labels are set up
 * when it is loaded, and a module that may come later is not there by then; so
 * new code that branches on such a key is compiled anew in a form that reads the
 * key's count at each branch.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { compare } from "../../diff/compare.ts";
import { correlate } from "../../diff/correlate.ts";
import { pieceRecord } from "../../diff/left-out.ts";
import { isDisposable, numberedBase, stableName } from "../../diff/names.ts";
import { diffUnits } from "../../diff/object-diff.ts";
import type { Pairing } from "../../diff/pairing.ts";
import { readUnit } from "../../diff/read-unit.ts";
import type { Selection } from "../../diff/selection.ts";
import type { Atom, Unit as ObjectUnit } from "../../diff/unit.ts";
import { readElf } from "../../elf/read.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import type { Note } from "../../patch/metadata.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import type { ChangedFile } from "../../source/diffs/diff-input.ts";
import { changesOf, type FileChange, layOutView, viewDirectory } from "../../source/tree.ts";
import { type CompileOptions, compileInView } from "./compile.ts";
import type { KernelUnitDiff } from "./examine-pair.ts";
import { linkUnit } from "./match/locate.ts";
import type { Proof } from "./match/prove.ts";
import type { ShippedObjects } from "./match/shipped-objects.ts";
import type { Symvers } from "./symvers.ts";

/** The unit whose new code asks for a module's own keys, and what it is compiled with. */
export interface KeyTestOptions {
  readonly unit: Unit;
  readonly files: readonly ChangedFile[];
  readonly compile: CompileOptions;
  readonly shipped: ShippedObjects;
  readonly symvers: Symvers;
}

/**
 * The diffs of a unit, those in whose new code a key would be bound too late in
 * the form that asks for its keys. One stays as it is, and is refused by the
 * linker, where what it needs cannot be told in that form.
 */
export async function withKeyTests(
  diffs: readonly KernelUnitDiff[],
  options: KeyTestOptions,
): Promise<KernelUnitDiff[]> {
  const isLate = diffs.map((each) => keysBoundLate(each, options).size > 0);
  if (!isLate.includes(true)) return [...diffs];
  const units = await compiledAnew(options);
  if (units === undefined) return [...diffs];
  return diffs.map((each, i) => (isLate[i] === true ? (inFormOf(each, units) ?? each) : each));
}

interface Units {
  readonly original: ObjectUnit;
  readonly patched: ObjectUnit;
}

/** Names of the static keys that new code branches on and that are only there once their module is. */
function keysBoundLate(each: KernelUnitDiff, { shipped, symvers }: KeyTestOptions): Set<string> {
  const names = new Set<string>();
  const { proof, dependencies, diff } = each;
  if (proof.shipped.object === "vmlinux") return names;
  const located = linkUnit({ proof, selection: diff.selection, vmlinux: shipped.vmlinux, symvers, dependencies });
  for (const { entries } of diff.selection.pieces) {
    for (const { entry, references } of entries) {
      const key = references.find(({ offset }) => offset === entry.table.staticKey?.[entry.data.length])?.destination;
      const found =
        key?.kind === "original"
          ? located.locate(key.atom)
          : key?.kind === "external"
            ? located.external(key.name)
            : undefined;
      const origin = found?.origin;
      // A tracepoint's stays off, which is said, and costs no compile.
      if (origin?.kind !== "livepatch" || origin.object === "vmlinux" || origin.name.startsWith("__tracepoint_"))
        continue;
      names.add(origin.name);
    }
  }
  return names;
}

async function compiledAnew({ unit, files, compile, shipped }: KeyTestOptions): Promise<Units | undefined> {
  const { source, kernelTree, arch } = compile.kernel;
  const labels = arch.kernel.sources.jumpLabels;
  if (labels === undefined) return undefined;
  const path = join(kernelTree, labels.header);
  if (files.some((file) => file.path === path)) return undefined;
  const text = labels.askingForKeys(await readFile(join(source, path), "latin1"));
  const header: FileChange = { path, text: Buffer.from(text, "latin1") };
  const made: ObjectUnit[] = [];
  for (const changes of [[header], [header, ...changesOf(files)]]) {
    await using views = await viewDirectory();
    await using objects = await temporaryDirectory();
    const view = layOutView(source, views.path, changes);
    const compiled = await compileInView(unit, view, objects.path, { ...compile, types: false });
    if (compiled.kind === "does-not-compile") return undefined;
    const file = readElf(await readFile(compiled.object), unit.source);
    made.push(readUnit(file, shipped.layouts.entrySizes));
  }
  const [original, patched] = made;
  return original === undefined || patched === undefined ? undefined : { original, patched };
}

/** The diff of the units in the other form; what was proved of the original is taken over by which atom is which. */
function inFormOf(each: KernelUnitDiff, { original, patched }: Units): KernelUnitDiff | undefined {
  const proved = each.diff.original;
  const pairing = correlate(proved, original, { isModule: true });
  const diff = diffUnits(original, patched, each.options);
  if (!isCertain(diff.selection, proved, original, pairing)) return undefined;
  const names = diff.selection.funcs.map(({ name }) => name).join(", ");
  const note: Note = {
    code: "STATIC_KEYS_ASKED",
    text: `new code of ${each.diff.patched.name} (${names}) reads static keys where it branches on them: those of ${each.proof.shipped.object} cannot be bound when the livepatch is loaded`,
    pieces: diff.selection.pieces
      .filter(({ atom }) => atom.kind === "function")
      .map(({ atom }) => pieceRecord(each.diff.patched.name, atom)),
  };
  return { ...each, diff: { ...diff, notes: [...diff.notes, note] }, proof: takenOver(each.proof, original, pairing) };
}

function takenOver(proof: Proof, unit: ObjectUnit, { originalOf }: Pairing): Proof {
  const places = new Map<Atom, number>();
  const proved = new Set<Atom>();
  const mismatches = new Map<Atom, NonNullable<ReturnType<Proof["match"]["mismatches"]["get"]>>>();
  for (const atom of unit.atoms) {
    const twin = originalOf.get(atom);
    if (twin === undefined) continue;
    const at = proof.match.places.get(twin);
    if (at !== undefined) places.set(atom, at);
    if (proof.match.proved.has(twin)) proved.add(atom);
    const mismatch = proof.match.mismatches.get(twin);
    if (mismatch !== undefined) mismatches.set(atom, mismatch);
  }
  return { ...proof, unit, match: { ...proof.match, places, proved, mismatches } };
}

/**
 * Whether what new code shares with running code is the same in both forms: a
 * clone, whose parameters the compiler chose, has to be the same code, and a
 * static local the only one of its name.
 */
function isCertain(selection: Selection, proved: ObjectUnit, unit: ObjectUnit, pairing: Pairing): boolean {
  const shared = new Set(selection.funcs.map(({ original }) => original));
  for (const { references, entries } of selection.pieces)
    for (const { destination } of [...references, ...entries.flatMap((entry) => entry.references)])
      if (destination.kind === "original") shared.add(destination.atom);
  const { differences } = compare(unit, pairing);
  const isAlone = (atom: Atom, atoms: readonly Atom[]) =>
    atoms.filter((it) => isNumbered(it) && stableName(it) === stableName(atom)).length === 1;
  return [...shared].every((atom) => {
    if (isNumbered(atom)) return isAlone(atom, unit.atoms) && isAlone(atom, proved.atoms);
    return !isClone(atom) || (pairing.originalOf.has(atom) && !differences.has(atom));
  });
}

function isNumbered(atom: Atom): boolean {
  return atom.kind !== "function" && !isDisposable(atom) && numberedBase(atom.name) !== undefined;
}

function isClone({ kind, name }: Atom): boolean {
  return kind === "function" && /\.(isra|constprop|part)\b/.test(name);
}
