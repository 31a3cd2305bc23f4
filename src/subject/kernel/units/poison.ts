/**
 * Names that units make by macros: the preprocessor says where it meets a name that it was told to poison, whether
 * that name is written or joined of pieces. What it makes is not looked at.
 */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import { run } from "../../../lib/run.ts";
import { temporaryDirectory } from "../../../lib/temp.ts";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import type { Compiler } from "../../../provider/toolchain/compiler.ts";

/** A set of names, to be looked for in units; it has a file that is to be disposed of. */
export interface Poison extends AsyncDisposable {
  /**
   * Whether a unit meets one of the names where it is not written, or in one of these files; or where that cannot be
   * told. The paths are relative to the tree, as the unit's.
   */
  isMadeIn(unit: Unit, files: readonly string[], signal: AbortSignal): Promise<boolean>;
}

const NAMES_A_LINE = 50;
const MET = /^(.*):(\d+):(\d+): error: attempt to use poisoned "(.*)"$/;

/** Writes the names into a file of its own. */
export async function openPoison(names: ReadonlySet<string>, kernel: Kernel, compiler: Compiler): Promise<Poison> {
  const directory = await temporaryDirectory();
  const header = join(directory.path, "poison.h");
  const all = [...names];
  const lines: string[] = [];
  for (let i = 0; i < all.length; i += NAMES_A_LINE)
    lines.push(`#pragma GCC poison ${all.slice(i, i + NAMES_A_LINE).join(" ")}\n`);
  await writeFile(header, lines.join(""), "latin1");
  const options = all.some((name) => /\d/.test(name)) ? QUIET : [...QUIET, QUICK];
  const texts = new Map<string, readonly string[]>();
  const isWritten = (path: string, line: number, column: number, name: string): boolean => {
    let text = texts.get(path);
    if (text === undefined) {
      text = readFileSync(join(kernel.source, path), "latin1").split("\n");
      texts.set(path, text);
    }
    return text[line - 1]?.startsWith(name, column - 1) === true;
  };
  return {
    async isMadeIn(unit, files, signal) {
      const args = ["-include", header, ...unit.args, ...options, unit.spelled ?? unit.source];
      const { exitCode, stderr } = await run(compiler.path, args, { cwd: kernel.source, signal });
      if (exitCode === 0) return false;
      const errors = stderr.split("\n").filter((line) => /\berror:/.test(line));
      return (
        errors.length === 0 ||
        errors.some((line) => {
          const [, file = "", at = "", column = "", name = ""] = MET.exec(line) ?? [];
          if (file === "" || file.startsWith("/")) return true;
          const path = normalize(file);
          return path === unit.source || files.includes(path) || !isWritten(path, Number(at), Number(column), name);
        })
      );
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** With what is said of poison alone, and that with the columns of the bytes. `-M` would expand no macros. */
const QUIET = [
  ...["-E", "-P", "-o", "/dev/null", "-w", "-fno-diagnostics-show-caret", "-fdiagnostics-color=never"],
  ...["-fdiagnostics-column-unit=byte", "-fdiagnostics-column-origin=1"],
];

/**
 * Without knowing of each token which macros it has come through, which takes a third of the time. In a call of
 * several lines `__LINE__` is another one then: it is for names without a number in them.
 */
const QUICK = "-ftrack-macro-expansion=0";
