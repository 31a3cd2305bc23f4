/** What a livepatch is to be made for, from how it is named on the command line to a `Program`. */
import { readlink, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { archOfHost } from "../../arch/registry.ts";
import { ET } from "../../elf/constants.ts";
import { readElf } from "../../elf/read.ts";
import { SutureError } from "../../lib/error.ts";
import { readGivenFile } from "../../lib/read-file.ts";
import { readCompileCommands } from "../../provider/custom/compile-commands.ts";
import { isForHost } from "../../provider/program/machine.ts";
import type { OpenOptions } from "../../provider/program/open-options.ts";
import type { SourcePatch } from "../../provider/program/source-versions.ts";
import { distribution } from "../../provider/registry/distributions.ts";
import type { DiffText } from "../../source/diffs/diff-parse.ts";
import type { Program } from "./program.ts";
import { ShippedProgram } from "./shipped/shipped-program.ts";
import { sourceTreeFor, unitsBelow } from "./units/source-tree.ts";

/** How a program is named: by Debian's package, or by a build of one's own with its compile_commands.json. */
export type ProgramChoice =
  /**
   * A source package, or one of its binary packages. `executables`: only these of its files; all by default.
   * `from`: the name of the distribution, by default the one of this machine. `without`: its source with these
   * patches, the last ones, taken off.
   */
  | {
      readonly kind: "package";
      readonly name: string;
      readonly executables: readonly string[];
      readonly from?: string | undefined;
      readonly without?: readonly SourcePatch[] | undefined;
    }
  /** Paths; `source`: the directory that diffs are for, found out by default. */
  | {
      readonly kind: "commands";
      readonly commands: string;
      readonly executables: readonly string[];
      readonly source: string | undefined;
    };

/** Throws what getting the source, reading the commands and reading the executables throw. */
export async function openProgram(
  choice: ProgramChoice,
  diffs: readonly DiffText[],
  options: OpenOptions,
): Promise<Program> {
  if (choice.kind === "package") {
    const from = distribution(choice.from);
    const source =
      choice.without === undefined
        ? await from.sourcePackage(choice.name, options)
        : await from.sourceWithout(choice.name, choice.without, options);
    const files =
      choice.executables.length > 0 ? choice.executables.map((path) => ({ path, file: path })) : source.files;
    return {
      tree: source.tree,
      units: unitsBelow(source.tree, source.commands),
      shipped: await shippedFrom(files),
      package: { name: source.name, version: source.version },
    };
  }
  const commands = await readCompileCommands(choice.commands);
  const tree = await sourceTreeFor(commands, diffs, choice.source);
  const files = choice.executables.map((path) => ({ path, file: path }));
  return { tree, units: unitsBelow(tree, commands), shipped: await shippedFrom(files), package: undefined };
}

interface ShippedFile {
  /** As it runs. */
  readonly path: string;
  /** Where it can be read. */
  readonly file: string;
}

/** Copies of one file are one object. */
async function shippedFrom(files: readonly ShippedFile[]): Promise<ShippedProgram[]> {
  const all = new Map<string, ShippedProgram>();
  for (const { path, file } of files) {
    const program = await readShipped(path, file);
    const key = program.buildId;
    if (!all.has(key)) all.set(key, program);
  }
  return [...all.values()];
}

/** The path of a file whose directory may be called by another name; of a process's program, that which it was started from. */
async function whereItRuns(file: string): Promise<string> {
  const path = resolve(file);
  if (/^\/proc\/(\d+|self)\/exe$/.test(path)) return (await readlink(path)).replace(/ \(deleted\)$/, "");
  return join(await realpath(dirname(path)), basename(path));
}

async function readShipped(path: string, file: string): Promise<ShippedProgram> {
  const data = await readGivenFile(file, { code: "EXECUTABLE_NOT_READABLE", what: "the executable" });
  const elf = readElf(data, file);
  const isLinked = elf.header.type === ET.EXEC || elf.header.type === ET.DYN;
  if (!isLinked || !isForHost(data)) {
    const what = `not an executable or a library for ${archOfHost().name}`;
    throw new SutureError("NOT_AN_EXECUTABLE", what, { where: file });
  }
  const real = path === file ? await whereItRuns(file) : path;
  const program = new ShippedProgram(elf, real, basename(real));
  if (program.buildId === "")
    throw new SutureError("NO_BUILD_ID", "the file has no build-id, by which a livepatch is sure of what it patches", {
      where: file,
      hint: "link it with -Wl,--build-id",
    });
  return program;
}
