/** compile_commands.json: the JSON compilation database of CMake, Meson, Bear and others (clang.llvm.org/docs/JSONCompilationDatabase). */
import { dirname, isAbsolute, resolve } from "node:path";
import * as v from "valibot";
import { SutureError } from "../../lib/error.ts";
import { readGivenFile } from "../../lib/read-file.ts";
import { type CompileCommand, compilesOf, shellWords } from "../program/command-line.ts";

const HINT = "make them with cmake -DCMAKE_EXPORT_COMPILE_COMMANDS=ON, meson, or bear -- make";

const database = v.array(
  v.object({
    directory: v.string(),
    file: v.string(),
    command: v.optional(v.string()),
    arguments: v.optional(v.array(v.string())),
    output: v.optional(v.string()),
  }),
);

/** Throws `COMPILE_COMMANDS_UNREADABLE`. */
export async function readCompileCommands(path: string): Promise<CompileCommand[]> {
  const code = "COMPILE_COMMANDS_UNREADABLE";
  const text = (await readGivenFile(path, { code, what: "the compile commands", hint: HINT })).toString("utf8");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw unreadable(path, `no JSON: ${(error as Error).message}`);
  }
  const parsed = v.safeParse(database, json);
  if (!parsed.success)
    throw unreadable(path, `${v.getDotPath(parsed.issues[0]) ?? "entry"}: ${parsed.issues[0].message}`);
  const commands = parsed.output.flatMap(({ directory, command, arguments: words }) => {
    const where = isAbsolute(directory) ? directory : resolve(dirname(path), directory);
    return compilesOf(words ?? shellWords(command ?? ""), where);
  });
  if (commands.length === 0) throw unreadable(path, "it names no file of C or C++ that is compiled");
  return commands;
}

function unreadable(path: string, why: string): SutureError {
  return new SutureError("COMPILE_COMMANDS_UNREADABLE", `cannot read the compile commands: ${why}`, {
    where: path,
    hint: HINT,
  });
}
