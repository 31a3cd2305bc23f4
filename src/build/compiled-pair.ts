/** A unit as it was and as the diff makes it, both compiled. */
import { readFile } from "node:fs/promises";
import type { ElfFile } from "../elf/model.ts";
import { readElf } from "../elf/read.ts";
import type { Cache } from "../lib/cache.ts";
import { type CompileOptions, type CompileResult, compileInView } from "./compile.ts";
import type { ChangedFile } from "./diff-input.ts";
import { compileOriginal } from "./originals.ts";
import { changesOf, layOutView, type TreeView, viewDirectory } from "./tree.ts";
import type { Unit } from "./unit.ts";

export interface CompiledPair {
  readonly kind: "compiled";
  readonly unit: Unit;
  readonly originalFile: ElfFile;
  readonly patchedFile: ElfFile;
}

export type Failure = CompileResult & { readonly kind: "does-not-compile" } & {
  readonly which: "original" | "patched";
};

export async function compileBoth(
  unit: Unit,
  view: TreeView,
  files: readonly ChangedFile[],
  into: string,
  options: CompileOptions,
  cache: Cache,
): Promise<CompiledPair | Failure> {
  const [patched, original] = await Promise.all([
    compilePatched(unit, view, files, into, options),
    compileOriginal(unit, cache, options),
  ]);
  if (original.kind === "does-not-compile") return { ...original, which: "original" };
  if (patched.kind === "does-not-compile") return { ...patched, which: "patched" };
  const [originalFile, patchedFile] = await Promise.all([
    readObject(original.object, unit),
    readObject(patched.object, unit),
  ]);
  return { kind: "compiled", unit, originalFile, patchedFile };
}

/** Where the text with line marks is refused, the words of the compiler are about the text as it was written. */
async function compilePatched(
  unit: Unit,
  view: TreeView,
  files: readonly ChangedFile[],
  into: string,
  options: CompileOptions,
): Promise<CompileResult> {
  const marked = await compileInView(unit, view, into, options);
  if (marked.kind === "compiled") return marked;
  await using views = await viewDirectory();
  const unmarked = layOutView(options.kernel.source, views.path, changesOf(files, true));
  return await compileInView(unit, unmarked, into, options);
}

async function readObject(path: string, unit: Unit): Promise<ElfFile> {
  return readElf(await readFile(path), unit.source);
}
