/** A translation unit to an object, as kbuild would make it, in a private place. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type CompileResult, INCLUDE, notCompiled } from "../../builder/compile-result.ts";
import { assemblerList, assemblerReads, outsideFiles, tellsAll } from "../../builder/outside-files.ts";
import type { Variant } from "../../builder/variant.ts";
import { run } from "../../lib/run.ts";
import type { Kernel } from "../../provider/kernel/kernel.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import { doesNotStart, neverRan } from "../../provider/toolchain/carried-libraries.ts";
import type { Compiler } from "../../provider/toolchain/compiler.ts";
import { isClang } from "../../provider/toolchain/compiler-names.ts";
import { parseDependencies } from "../../source/dependencies.ts";
import { readingInView, type TreeView } from "../../source/tree.ts";
import { DWARF_TYPES } from "./types-of-dwarf.ts";

/** With what a unit is compiled, and in which form. */
export interface CompileOptions {
  readonly kernel: Kernel;
  readonly compiler: Compiler;
  readonly variant: Variant;
  /** Adds the types of the unit, as a section .BTF or, by clang, in DWARF: `withTypes` makes one of the other. */
  readonly types?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compiles in a view of the tree, the object going to the directory `into`
 * under a name that is free there for each unit. Throws `DISK_FULL`,
 * `TOOL_DOES_NOT_START`, and what running the compiler throws; code that does not compile is a result.
 */
export async function compileInView(
  unit: Unit,
  view: TreeView,
  into: string,
  options: CompileOptions,
): Promise<CompileResult> {
  const list = join(into, `${unit.object.replaceAll("/", "+")}.s.d`);
  const own = {
    ...unit,
    args: [...unit.args, "-idirafter", INCLUDE, ...assemblerList(list, options.compiler)],
  };
  const roots = [view.directory, options.kernel.source, into, INCLUDE];
  return await readingInView<CompileResult>(view, unit, async () => {
    const result = await compileIn(own, view.directory, into, options);
    if (result.kind !== "compiled") return { result, dependencies: undefined };
    const assembled = tellsAll(options.compiler) ? assemblerReads(await readFile(list, "utf8")) : [];
    const read = [...result.dependencies, ...assembled];
    const outside = outsideFiles(read, view.directory, roots);
    return { result: { ...result, outside }, dependencies: result.dependencies };
  });
}

/** Runs the compiler and objtool in `directory`. */
export async function compileIn(
  unit: Unit,
  directory: string,
  into: string,
  options: CompileOptions,
): Promise<CompileResult> {
  const { kernel, compiler, signal } = options;
  const object = join(into, unit.object.replaceAll("/", "+"));
  const list = `${object}.d`;
  const files = [`-Wp,-MD,${list}`, "-c", "-o", object, unit.spelled ?? unit.source];
  // What a compiler leaves that is killed goes away with the object.
  const env = { TMPDIR: into };
  const compiled = await run(compiler.path, [...argumentsFor(unit, options), ...files], {
    cwd: directory,
    env,
    signal,
  });
  if (neverRan(compiled)) throw doesNotStart(compiler.path, compiled.stderr);
  if (compiled.exitCode !== 0) return notCompiled(compiled.stderr, into);
  if (unit.objtool !== undefined) {
    // Debian's objtool is one program for several architectures.
    const architecture = { SRCARCH: kernel.arch.kernel.sources.directory };
    const checked = await run(kernel.objtool, [...unit.objtool, object], { cwd: directory, env: architecture, signal });
    if (neverRan(checked)) throw doesNotStart(kernel.objtool, checked.stderr);
    if (checked.exitCode !== 0) return notCompiled(checked.stderr, into, "objtool");
  }
  const dependencies = parseDependencies(await readFile(list, "utf8"));
  return { kind: "compiled", object, dependencies };
}

/** Options for debug information, in all their forms. */
const DEBUG = /^-g(\d|$|dwarf|gdb|btf|ctf|z|split|pubnames|record|column|statement|variable|inline|internal)/;

/**
 * Of a kernel that was built beside its source the makefiles take the way to that out of `__FILE__`,
 * since 6.16 there alone: what a header's warning names is `include/linux/fs.h`.
 */
const NAMED_FROM_TREE = "-fmacro-prefix-map=./=";

/** The compiler's arguments without source, object and list; debug information is left out. */
export function argumentsFor(unit: Unit, options: CompileOptions): string[] {
  const args = unit.args.filter((arg) => !DEBUG.test(arg));
  if (options.variant === "sections") args.push("-ffunction-sections", "-fdata-sections");
  if (options.types === true) args.push(...(isClang(options.compiler) ? DWARF_TYPES : ["-gbtf"]));
  if (options.kernel.isBuiltBeside && !args.includes(NAMED_FROM_TREE)) args.push(NAMED_FROM_TREE);
  return args;
}
