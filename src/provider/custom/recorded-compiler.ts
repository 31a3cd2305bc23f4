/** Which program kbuild has run as the compiler, by the records that it leaves beside what it makes. */
import { readFile } from "node:fs/promises";
import { basename, isAbsolute, join, resolve } from "node:path";
import { splitWords } from "../kernel/kbuild-words.ts";

/** Made by the compiler in every build, before all else. */
const FIRST = "kernel/.bounds.s.cmd";
/** What stands before a compiler to keep or to spread its work. */
const WRAPPERS = new Set(["ccache", "sccache", "distcc", "icecc"]);

/** A name to be looked for in PATH, or an absolute path; undefined where `build` has no record. */
export async function recordedCompiler(build: string): Promise<string | undefined> {
  const text = await readFile(join(build, FIRST), "utf8").catch(() => "");
  const [, command = ""] = /^(?:saved)?cmd_\S+ := (.*)$/m.exec(text) ?? [];
  const program = splitWords(command).find((word) => !WRAPPERS.has(basename(word)));
  if (program === undefined) return undefined;
  return program.includes("/") && !isAbsolute(program) ? resolve(build, program) : program;
}
