/** A unit as it was and as the diff makes it, both compiled. */
import { readFile } from "node:fs/promises";
import type { ElfFile } from "../../elf/model.ts";
import { readElf } from "../../elf/read.ts";
import type { Cache } from "../../lib/cache.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import type { ChangedFile } from "../../source/diffs/diff-input.ts";
import { changesOf, layOutView, type TreeView, viewDirectory } from "../../source/tree.ts";
import { type CompileOptions, type CompileResult, compileInView } from "./compile.ts";
import { compileOriginal } from "./originals.ts";

export interface CompiledPair {
  readonly kind: "compiled";
  readonly unit: Unit;
  readonly originalFile: ElfFile;
  readonly patchedFile: ElfFile;
}

export interface TakesIn {
  readonly kind: "takes-in";
  readonly unit: Unit;
  /** A file that is no part of the source. */
  readonly path: string;
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
): Promise<CompiledPair | Failure | TakesIn> {
  const isNew = files.some(({ path, original }) => path === unit.source && original === undefined);
  const [patched, original] = await Promise.all([
    compilePatched(unit, view, files, into, options),
    isNew ? compileNothing(unit, into, options) : compileOriginal(unit, cache, options),
  ]);
  if (original.kind === "does-not-compile") return { ...original, which: "original" };
  if (patched.kind === "does-not-compile") return { ...patched, which: "patched" };
  const path = patched.outside?.find((each) => !original.dependencies.includes(each));
  if (path !== undefined) return { kind: "takes-in", unit, path };
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

/** What a file that is not there compiles to: what an empty one does. */
async function compileNothing(unit: Unit, into: string, options: CompileOptions): Promise<CompileResult> {
  await using views = await viewDirectory();
  const view = layOutView(options.kernel.source, views.path, [{ path: unit.source, text: "" }]);
  return await compileInView({ ...unit, object: unit.object.replace(/o$/, "empty.o") }, view, into, options);
}

async function readObject(path: string, unit: Unit): Promise<ElfFile> {
  return readElf(await readFile(path), unit.source);
}
