/** One unit, before and after: proved against each object that it is part of, and diffed. */
import { readFile } from "node:fs/promises";
import { structLayout, structOfVariable } from "../../btf/layout.ts";
import type { KnownOfOthers } from "../../builder/across-units.ts";
import type { CompileResult } from "../../builder/compile-result.ts";
import type { Stopwatch } from "../../builder/stopwatch.ts";
import type { CompiledPair, UnitDiff } from "../../builder/subject.ts";
import { typesOf } from "../../builder/type-changes.ts";
import { diffUnits } from "../../diff/object-diff.ts";
import type { DiffOptions } from "../../diff/options.ts";
import { readUnit } from "../../diff/read-unit.ts";
import type { Unit as ObjectUnit } from "../../diff/unit.ts";
import { readElf } from "../../elf/read.ts";
import { SutureError } from "../../lib/error.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { Kernel } from "../../provider/kernel/kernel.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import { changesBtfIds, withBtfIds } from "./btf-ids.ts";
import { type Proof, proveUnit } from "./match/prove.ts";
import type { ShippedObjects } from "./match/shipped-objects.ts";
import { readInPlace } from "./read-in-place.ts";

/** The diff of one unit in one object that it is part of: a unit that modules share has several. */
export interface KernelUnitDiff extends UnitDiff<Unit> {
  readonly proof: Proof;
  /** Modules that are loaded whenever the patched one is. */
  readonly dependencies: ReadonlySet<string>;
  /** Of a diff in another form than what ships: the same made with what it has to know of other units. */
  readonly again?: (more: KnownOfOthers) => KernelUnitDiff;
}

/** What the unit is held against, and how to come by its other form. */
export interface ExamineOptions {
  readonly shipped: ShippedObjects;
  /** Compiles the original without sections of its own for each function. */
  readonly plain: () => Promise<CompileResult>;
  readonly kernel: Kernel;
  readonly watch: Stopwatch;
  readonly signal: AbortSignal | undefined;
}

/**
 * One diff and one proof for each object; else the refusal `NOT_KERNEL_CODE`. A function
 * that is not proved is no refusal yet: it depends on what the livepatch needs.
 */
export async function examinePair(
  pair: CompiledPair<Unit>,
  options: ExamineOptions,
): Promise<KernelUnitDiff[] | Refusal> {
  const { shipped, watch } = options;
  const { unit } = pair;
  if (unit.lands.kind === "elsewhere") {
    const what = `${unit.source} is built into something beside the kernel's code: the vdso, boot or real mode code`;
    return refusal("NOT_KERNEL_CODE", what, unit.source, "leave it out of the diff");
  }
  const sizes = shipped.layouts.entrySizes;
  const { originalFile, patchedFile } = filledIn(pair, shipped);
  const original = watch.time("diff", () => readUnit(originalFile, sizes));
  const patched = watch.time("diff", () => readUnit(patchedFile, sizes));
  let types: ReturnType<typeof typesOf>;
  const structOf: DiffOptions["structOf"] = (variable) => {
    types ??= typesOf(patchedFile);
    return structOfVariable(types, variable);
  };
  const isReadInPlace: DiffOptions["readInPlace"] = (variable) => {
    types ??= typesOf(patchedFile);
    return readInPlace(types, variable);
  };
  const layoutOf: DiffOptions["layoutOf"] = (struct) => {
    types ??= typesOf(patchedFile);
    const layout = types && structLayout(types, struct);
    return layout && { size: layout.size, members: new Map(layout.members.map((it) => [it.bitOffset / 8, it.name])) };
  };
  const objects = unit.lands.kind === "vmlinux" ? ["vmlinux"] : unit.lands.modules;
  const diffs: KernelUnitDiff[] = [];
  for (const object of objects) {
    const { image, dependencies } = await shipped.object(object);
    const how: DiffOptions = {
      isModule: object !== "vmlinux",
      needsHook: true,
      canSwitch: true,
      structOf,
      readInPlace: isReadInPlace,
      layoutOf,
    };
    const diff = watch.time("diff", () => diffUnits(original, patched, how));
    const before = performance.now();
    const proof = await proveUnit(unit.source, original, image, () => plainUnit(options, unit.source, sizes));
    watch.add("match", (performance.now() - before) / 1000);
    diffs.push({ unit, diff, options: how, proof, dependencies });
  }
  return diffs;
}

/** A module's lists of BTF ids are filled in with its own BTF: they stay empty here, and a change of one is refused. */
function filledIn(
  pair: CompiledPair<Unit>,
  shipped: ShippedObjects,
): Pick<CompiledPair<Unit>, "originalFile" | "patchedFile"> {
  const { unit, originalFile, patchedFile } = pair;
  if (unit.lands.kind !== "vmlinux" || !changesBtfIds(originalFile, patchedFile)) return pair;
  const btf = shipped.vmlinux.types();
  if (btf === undefined) return pair;
  return { originalFile: withBtfIds(originalFile, btf), patchedFile: withBtfIds(patchedFile, btf) };
}

async function plainUnit(
  options: ExamineOptions,
  source: string,
  sizes: Parameters<typeof readUnit>[1],
): Promise<ObjectUnit> {
  const compiled = await options.plain();
  if (compiled.kind === "does-not-compile")
    throw new SutureError("ORIGINAL_DOES_NOT_COMPILE", `${source} does not compile as it was shipped`, {
      where: source,
    });
  return readUnit(readElf(await readFile(compiled.object), source), sizes);
}
