/** A program's translation unit to an object: as it was built, or in a view of its source with other files in it. */
import { mkdir, readFile } from "node:fs/promises";
import { dirname, isAbsolute, normalize, resolve } from "node:path";
import { type CompileResult, INCLUDE, notCompiled } from "../../builder/compile-result.ts";
import { assemblerList, assemblerReads, outsideFiles, tellsAll } from "../../builder/outside-files.ts";
import type { Variant } from "../../builder/variant.ts";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";
import type { CompileCommand } from "../../provider/program/command-line.ts";
import { inside, movedCommand } from "../../provider/program/moved-command.ts";
import type { Compiler } from "../../provider/toolchain/compiler.ts";
import { isClang } from "../../provider/toolchain/compiler-names.ts";
import { parseDependencies } from "../../source/dependencies.ts";
import { readingInView, type TreeView } from "../../source/tree.ts";
import type { ProgramUnit } from "./program.ts";
import { showLinked } from "./units/linked-sources.ts";

/** With what a unit is compiled, and in which form. */
export interface ProgramCompileOptions {
  readonly compiler: Compiler;
  readonly variant: Variant;
  readonly signal?: AbortSignal | undefined;
}

/** Whatever a command says of debugging information before, last. */
const DWARF = ["-g", "-gdwarf-5", "-gno-split-dwarf", "-gz=none", "-fno-debug-types-section"];

/**
 * Sections are for the object diff, which compares types too: gcc tells of those of C in the kernel's way, of others
 * by DWARF, as other compilers do. What is asked for to be aligned is in DWARF alone; where variables are at each
 * moment costs most of it, and is not asked.
 */
export function argumentsFor(command: CompileCommand, variant: Variant, compiler: Compiler): string[] {
  if (variant !== "sections") return [...command.args];
  const types = isC(command) && !isClang(compiler) ? [...DWARF, "-fno-var-tracking", "-gbtf"] : DWARF;
  return [...command.args, "-ffunction-sections", "-fdata-sections", ...types];
}

/** `g++ -c x.c` and `gcc -x c++ -c x.c` compile C++, of whose types gcc tells nothing by `-gbtf`. */
function isC({ args, compiler, source }: CompileCommand): boolean {
  const named = args.flatMap((arg, i) =>
    arg === "-x" ? (args[i + 1] ?? []) : arg.startsWith("-x") ? arg.slice(2) : [],
  );
  const language = named.at(-1) ?? "none";
  return language === "none" ? source.endsWith(".c") && !compiler.includes("++") : language === "c";
}

/** Compiles to the file `object`. Throws `DISK_FULL`; code that does not compile is a result. */
export async function compileTo(
  object: string,
  command: CompileCommand,
  { compiler, variant, signal }: ProgramCompileOptions,
): Promise<CompileResult> {
  const list = `${object}.d`;
  await mkdir(dirname(object), { recursive: true });
  const args = [...argumentsFor(command, variant, compiler), "-MD", "-MF", list, "-c", "-o", object, command.source];
  // What a compiler leaves that is killed goes away with the object.
  const env = { ...command.env, TMPDIR: dirname(object) };
  const { exitCode, stderr } = await run(compiler.path, args, { cwd: command.directory, env, signal });
  if (exitCode !== 0) return notCompiled(stderr, dirname(object));
  return { kind: "compiled", object, dependencies: parseDependencies(await readFile(list, "utf8")) };
}

/** Compiles in a view of the tree, to the file `object`. */
export async function compileInProgramView(
  unit: ProgramUnit,
  { tree, view }: { readonly tree: string; readonly view: TreeView },
  object: string,
  options: ProgramCompileOptions,
): Promise<CompileResult> {
  const moved = movedCommand(unit.command, tree, view.directory);
  const list = `${object}.s.d`;
  const args = [...moved.args, "-idirafter", INCLUDE, ...assemblerList(list, options.compiler)];
  const command = { ...moved, args };
  const roots = [view.directory, tree, unit.command.directory, dirname(object), INCLUDE, ...searched(command)];
  return await readingInView<CompileResult>(view, unit, async () => {
    const result = await compileTo(object, command, options);
    if (result.kind !== "compiled") return { result, dependencies: undefined };
    const dependencies = result.dependencies.flatMap((path) => pathInTree(path, command.directory, view.directory));
    if (showLinked(view, tree, dependencies)) return { result, dependencies: undefined };
    requireSource(unit, tree, view, dependencies);
    const assembled = tellsAll(options.compiler) ? assemblerReads(await readFile(list, "utf8")) : [];
    const outside = outsideFiles([...result.dependencies, ...assembled], command.directory, roots);
    return { result: { ...result, outside }, dependencies };
  });
}

/** The directories in which a command looks for headers, and the files that it includes by itself. */
function searched({ args, directory }: CompileCommand): string[] {
  return args.flatMap((arg, i) => {
    const joined = /^-(?:I|isystem|iquote|idirafter|include|imacros)(.+)$/s.exec(arg)?.[1];
    const value = /^-(I|isystem|iquote|idirafter|include|imacros)$/.test(arg) ? args[i + 1] : joined;
    return value === undefined ? [] : [resolve(directory, value)];
  });
}

/** What was compiled around the view would look as if the diff changed nothing. */
function requireSource(
  { source, command }: ProgramUnit,
  tree: string,
  view: TreeView,
  dependencies: readonly string[],
): void {
  const named = inside(normalize(resolve(command.directory, command.source)), tree);
  if (dependencies.some((path) => [source, named].includes(normalize(path)))) return;
  if (!view.changes.some(({ path }) => path === source)) return;
  throw new SutureError("INCLUDE_PATHS_TOO_WINDING", "the compile names its source by a path that leaves its tree", {
    where: `${source}, compiled as ${command.source}`,
    hint: "name the source tree with --source as the compile names it",
  });
}

/** As the view has it: from its root on, `..` left in it. */
export function pathInTree(path: string, directory: string, view: string): string[] {
  const absolute = isAbsolute(path) ? path : `${directory}/${path}`;
  const rest = inside(absolute, view);
  return rest === undefined ? [] : [rest];
}
