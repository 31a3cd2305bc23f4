/** Whether a changed header changes a unit at all: what the preprocessor makes of it, before and after. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../lib/run.ts";
import { temporaryDirectory } from "../../../lib/temp.ts";
import type { CompileCommand } from "../../../provider/program/command-line.ts";
import { movedCommand } from "../../../provider/program/moved-command.ts";
import type { Compiler } from "../../../provider/toolchain/compiler.ts";
import { parseDependencies } from "../../../source/dependencies.ts";
import { readingInView, type TreeView } from "../../../source/tree.ts";
import { pathInTree } from "../compile.ts";
import type { ProgramUnit } from "../program.ts";
import { showLinked } from "./linked-sources.ts";

/** Whether the compiler gets the same tokens for a unit with and without the changes of a view. */
export async function hasSameTokens(
  unit: ProgramUnit,
  { tree, view }: { readonly tree: string; readonly view: TreeView },
  compiler: Compiler,
  signal: AbortSignal,
): Promise<boolean> {
  await using lists = await temporaryDirectory();
  const list = join(lists.path, "d");
  const before = await tokens(compiler.path, unit.command, list, signal);
  // Assembly is asked for wherever it is; what the command cannot read is not built with it.
  if (before === undefined) return unit.source.endsWith(".S");
  const command = movedCommand(unit.command, tree, view.directory);
  const after = await readingInView(view, unit, async () => {
    const result = await tokens(compiler.path, command, list, signal);
    const paths = result?.dependencies.flatMap((path) => pathInTree(path, command.directory, view.directory));
    if (paths !== undefined && showLinked(view, tree, paths)) return { result, dependencies: undefined };
    return { result, dependencies: paths };
  });
  return after?.digest === before.digest;
}

interface Tokens {
  readonly digest: string;
  readonly dependencies: readonly string[];
}

/** undefined where the preprocessor fails. */
async function tokens(
  compiler: string,
  { args, source, directory, env }: CompileCommand,
  list: string,
  signal: AbortSignal,
): Promise<Tokens | undefined> {
  const words = [...args, "-E", "-P", "-MMD", "-MF", list, source];
  const { exitCode, bytes } = await run(compiler, words, { cwd: directory, env, signal });
  if (exitCode !== 0) return undefined;
  const digest = createHash("sha256")
    .update(bytes.toString("latin1").replace(/\s*\n\s*/g, "\n"))
    .digest("hex");
  return { digest, dependencies: parseDependencies(await readFile(list, "utf8")) };
}
