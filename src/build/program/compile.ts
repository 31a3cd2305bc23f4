/** A program's translation unit to an object: as it was built, or in a view of its source with other files in it. */
import { mkdir, readFile } from "node:fs/promises";
import { dirname, isAbsolute, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { saysDiskFull } from "../../lib/disk-full.ts";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";
import type { Variant } from "../compile.ts";
import type { Compiler } from "../compiler.ts";
import { parseDependencies } from "../dependencies.ts";
import { readingInView, type TreeView } from "../tree.ts";
import type { CompileCommand } from "./command-line.ts";
import type { ProgramUnit } from "./program.ts";

export type ProgramCompileResult =
  | {
      readonly kind: "compiled";
      /** Path of the object. */
      readonly object: string;
      /** Every file that was read, as the compiler named it. */
      readonly dependencies: readonly string[];
    }
  | { readonly kind: "does-not-compile"; readonly output: string };

export interface ProgramCompileOptions {
  readonly compiler: Compiler;
  readonly variant: Variant;
  readonly signal?: AbortSignal | undefined;
}

/** Where suture/livepatch.h lies, which diffs may include. */
const INCLUDE = fileURLToPath(new URL("../../../include", import.meta.url));

/** Sections are for the object diff, which compares types too where the compiler can tell of them: gcc, of C. */
export function argumentsFor({ args, source }: CompileCommand, variant: Variant, compiler: Compiler): string[] {
  if (variant !== "sections") return [...args];
  const types = source.endsWith(".c") && !/clang/i.test(compiler.text) ? ["-gbtf"] : [];
  return [...args, "-ffunction-sections", "-fdata-sections", ...types];
}

/** Compiles to the file `object`. Throws `DISK_FULL`; code that does not compile is a result. */
export async function compileTo(
  object: string,
  command: CompileCommand,
  { compiler, variant, signal }: ProgramCompileOptions,
): Promise<ProgramCompileResult> {
  const list = `${object}.d`;
  await mkdir(dirname(object), { recursive: true });
  const args = [...argumentsFor(command, variant, compiler), "-MMD", "-MF", list, "-c", "-o", object, command.source];
  // What a compiler leaves that is killed goes away with the object.
  const env = { TMPDIR: dirname(object) };
  const { exitCode, stderr } = await run(compiler.path, args, { cwd: command.directory, env, signal });
  if (exitCode !== 0) {
    if (saysDiskFull(stderr))
      throw new SutureError("DISK_FULL", "no space left to compile in", {
        where: dirname(object),
        hint: "make room there, or name a directory on another file system with TMPDIR",
      });
    return { kind: "does-not-compile", output: stderr };
  }
  return { kind: "compiled", object, dependencies: parseDependencies(await readFile(list, "utf8")) };
}

/** Compiles in a view of the tree. */
export async function compileInProgramView(
  unit: ProgramUnit,
  tree: string,
  view: TreeView,
  object: string,
  options: ProgramCompileOptions,
): Promise<ProgramCompileResult> {
  const moved = commandInView(unit.command, tree, view.directory);
  const command = { ...moved, args: [...moved.args, "-idirafter", INCLUDE] };
  return await readingInView(view, unit, async () => {
    const result = await compileTo(object, command, options);
    const dependencies = result.kind === "compiled" ? result.dependencies : undefined;
    return {
      result,
      dependencies: dependencies?.flatMap((path) => pathInTree(path, command.directory, view.directory)),
    };
  });
}

/** Options whose value is a path, in the same word or the next. */
const PATH_OPTION =
  /^(-I|-isystem|-iquote|-idirafter|-include|-imacros|--include=|-iprefix|-fplugin=|-specs=|@)?(.*)$/s;
/** `-fmacro-prefix-map=OLD=NEW` and its kin. */
const PREFIX_MAP = /^(-f(?:file|macro|debug|profile)-prefix-map=)(.*)$/s;

/**
 * The same command with the view in the tree's place. What the tree's paths put
 * into code (`__FILE__`) stays as it was.
 */
export function commandInView(command: CompileCommand, tree: string, view: string): CompileCommand {
  const { directory } = command;
  const within = inside(directory, tree);
  const move = (path: string): string => {
    const absolute = isAbsolute(path) ? path : within === undefined ? join(directory, path) : undefined;
    const rest = absolute === undefined ? undefined : inside(absolute, tree);
    return rest === undefined ? path : join(view, rest);
  };
  // The last map that fits is the one that counts.
  const args = [`-fmacro-prefix-map=${view}=${within === undefined ? relative(directory, tree) : tree}`];
  let isValue = false;
  for (const arg of command.args) {
    const map = PREFIX_MAP.exec(arg);
    if (isValue) args.push(move(arg));
    else if (map !== null) args.push(arg, `${map[1]}${mapMoved(map[2] as string, tree, view)}`);
    else if (arg.startsWith("-") || arg.startsWith("@")) {
      const [, option = "", path = ""] = PATH_OPTION.exec(arg) as RegExpExecArray;
      args.push(option === "" || path === "" ? arg : `${option}${move(path)}`);
    } else args.push(move(arg));
    isValue = !isValue && /^-(I|isystem|iquote|idirafter|include|imacros|iprefix)$/.test(arg);
  }
  return {
    ...command,
    directory: within === undefined ? directory : join(view, within),
    source: move(command.source),
    args,
  };
}

function mapMoved(map: string, tree: string, view: string): string {
  const at = map.indexOf("=");
  const old = at < 0 ? map : map.slice(0, at);
  const rest = inside(old, tree);
  return rest === undefined ? map : `${join(view, rest)}${at < 0 ? "" : map.slice(at)}`;
}

/** The path from `tree` on; undefined for one that is outside of it. */
export function inside(path: string, tree: string): string | undefined {
  if (path === tree || path === `${tree}/`) return ".";
  return path.startsWith(`${tree}/`) ? path.slice(tree.length + 1) : undefined;
}

/** As the view has it: from its root on, `..` left in it. */
export function pathInTree(path: string, directory: string, view: string): string[] {
  const absolute = isAbsolute(path) ? path : `${directory}/${path}`;
  const rest = inside(absolute, view);
  return rest === undefined ? [] : [rest];
}
