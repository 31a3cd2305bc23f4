/** A unit compiled anew with a header in another form, before and after the diff. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { HeaderForm } from "../../../arch/kernel-sources.ts";
import { readUnit } from "../../../diff/read-unit.ts";
import type { Unit as ObjectUnit } from "../../../diff/unit.ts";
import { readElf } from "../../../elf/read.ts";
import { temporaryDirectory } from "../../../lib/temp.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import type { ChangedFile } from "../../../source/diffs/diff-input.ts";
import { changesOf, type FileChange, layOutView, viewDirectory } from "../../../source/tree.ts";
import { type CompileOptions, compileInView } from "../compile.ts";
import type { ShippedObjects } from "../match/shipped-objects.ts";
import type { Symvers } from "../symvers.ts";

/** A unit whose new code needs another form, and what it is compiled with. */
export interface FormOptions {
  readonly unit: Unit;
  readonly files: readonly ChangedFile[];
  readonly compile: CompileOptions;
  readonly shipped: ShippedObjects;
  readonly symvers: Symvers;
}

/** Both sides in the other form. */
export interface Units {
  readonly original: ObjectUnit;
  readonly patched: ObjectUnit;
}

/** Undefined where there is no such form: the diff changes the header itself, or a side does not compile in it. */
export async function compiledAnew(
  form: HeaderForm | undefined,
  { unit, files, compile, shipped }: FormOptions,
): Promise<Units | undefined> {
  const { source, kernelTree } = compile.kernel;
  if (form === undefined) return undefined;
  const path = join(kernelTree, form.header);
  if (files.some((file) => file.path === path)) return undefined;
  const text = form.rewritten(await readFile(join(source, path), "latin1"));
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
