/**
 * Structs whose layout changes and whose objects are all automatic variables of
 * functions that the livepatch replaces. Where all of these are switched at one
 * moment, while no task is in any of them, there is no object of the old layout
 * when the new code begins, and none of the new one when it ends.
 */
import type { CompositeChange, LayoutChange } from "../../../btf/compare.ts";
import { INCLUDE } from "../../../builder/compile-result.ts";
import { isBranch } from "../../../diff/hooks.ts";
import type { ObjectDiff } from "../../../diff/object-diff.ts";
import type { Atom } from "../../../diff/unit.ts";
import { run } from "../../../lib/run.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import { isClang } from "../../../provider/toolchain/compiler-names.ts";
import { type StructUses, structUses } from "../../../source/struct-uses.ts";
import type { TreeView } from "../../../source/tree.ts";
import { argumentsFor, type CompileOptions } from "../compile.ts";

/** All that says where objects of the struct can be. */
export interface StackTypeOptions {
  readonly unit: Unit;
  /** The tree with the diff applied. */
  readonly view: TreeView;
  readonly compile: CompileOptions;
  /** The unit's diffs, one for each object that it is part of. */
  readonly diffs: readonly ObjectDiff[];
  /** The file's own text, before and after. */
  readonly texts: readonly (string | undefined)[];
}

/** Why it is not certain that a changed type lives on stacks alone, as the end of a sentence that begins with it; undefined where it is. */
export async function whyNotOnStacks(change: LayoutChange, options: StackTypeOptions): Promise<string | undefined> {
  if (change.kind !== "struct") return "is no struct";
  const { kernel, compiler } = options.compile;
  for (const text of options.texts)
    if (text === undefined || !new RegExp(`\\bstruct\\s+${change.name}\\s*\\{`).test(text))
      return "is not defined in the file itself";
  for (const directory of [kernel.source, options.view.directory]) {
    const text = await preprocessed(directory, options);
    const uses = text === undefined ? undefined : structUses(text, change.name);
    if (uses === undefined) return "is used in a text that is not understood";
    if (uses.reason !== undefined) return uses.reason;
    if (isClang(compiler)) return "is in a file by clang, which does not tell where other memory is taken for it";
    const converted = await isConverted(change, directory, options);
    if (converted) return "is what other memory is taken for, by a void pointer";
    if (directory !== kernel.source) continue;
    if (uses.creators.size === 0) return "has no automatic variable";
    const left = options.diffs.flatMap((diff) => unchangedHolder(uses, diff) ?? []);
    if (left[0] !== undefined) return `lives on the stack of ${left[0]}, whose code stays`;
  }
  return undefined;
}

async function preprocessed(directory: string, { unit, compile }: StackTypeOptions): Promise<Buffer | undefined> {
  const args = [...argumentsFor(unit, { ...compile, types: false }), "-idirafter", INCLUDE, "-E", "-P", unit.source];
  const { exitCode, bytes } = await run(compile.compiler.path, args, { cwd: directory, signal: compile.signal });
  return exitCode === 0 ? bytes : undefined;
}

/** gcc tells of each conversion from a void pointer that C++ does not have: memory from an allocator comes by one. */
async function isConverted({ name }: CompositeChange, directory: string, options: StackTypeOptions): Promise<boolean> {
  const { unit, compile } = options;
  const args = [
    ...argumentsFor(unit, { ...compile, types: false }).filter((arg) => !/^-W(error|p,)/.test(arg)),
    // Without -c the driver looks for what a link needs, which an unpacked gcc has not got.
    ...["-idirafter", INCLUDE, "-c", "-fsyntax-only", "-Wc++-compat", "-fdiagnostics-plain-output", unit.source],
  ];
  const env = { LC_ALL: "C" };
  const { exitCode, stderr } = await run(compile.compiler.path, args, { cwd: directory, env, signal: compile.signal });
  return exitCode !== 0 || new RegExp(`from 'void \\*' to '[^']*struct ${name} \\*`).test(stderr);
}

/** A function that may hold a variable of the struct and whose code does not change. */
export function unchangedHolder(
  { creators, mentions }: StructUses,
  { original, selection }: ObjectDiff,
): string | undefined {
  const changed = new Set(selection.oldCode);
  const seen = new Set<string>();
  const queue = [...creators];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const atoms = atomsOf(original.atoms, name);
    const left = atoms.find((atom) => !changed.has(atom) && atom.section.role !== "init");
    if (left !== undefined) return left.name;
    for (const [caller, words] of mentions) {
      const times = words.get(name) ?? 0;
      if (caller === name || times === 0) continue;
      const calls = atomsOf(original.atoms, caller).flatMap((atom) =>
        atom.references.filter(
          (reference) =>
            reference.target.kind === "atom" && atoms.includes(reference.target.atom) && isBranch(atom, reference),
        ),
      );
      // Where it is called each time it is not part of the caller.
      if (calls.length !== times) queue.push(caller);
    }
  }
  return undefined;
}

/** A function and the clones that the compiler made of it. */
function atomsOf(atoms: readonly Atom[], name: string): Atom[] {
  return atoms.filter(
    (atom) =>
      atom.kind === "function" &&
      atom.symbols.some((symbol) => symbol.name === name || symbol.name.startsWith(`${name}.`)),
  );
}
