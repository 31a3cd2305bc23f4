/** Writes down what a build compiles: programs in front of the compilers in PATH note their arguments and run the real ones. */
import { readdirSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { archOfHost } from "../../arch/registry.ts";
import { namesIfThere } from "../../lib/if-there.ts";
import { type CompileCommand, compilesOf } from "./command-line.ts";

const COMPILERS = /^(gcc|g\+\+|cc|c\+\+|c89|c99|c89-gcc|c99-gcc|clang|clang\+\+)(-\d+)?$/;

/** What decides what the compiler finds, and what `__DATE__` and `__TIME__` are. */
const VARIABLES = ["SOURCE_DATE_EPOCH", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH"];

/** Notes compiles as long as its directory is in front of PATH; a compile does what it would have done without. */
export interface Recorder {
  /** To be put in front of PATH. */
  readonly directory: string;
  /** How many runs were noted so far. */
  count(): number;
  /** All compiles that were noted, in no order. */
  commands(): Promise<CompileCommand[]>;
}

/**
 * Makes a recorder in `directory`, which is there and empty. Each run of a
 * compiler is a file of its own, so that runs beside each other do not mix.
 */
export async function makeRecorder(directory: string): Promise<Recorder> {
  const programs = join(directory, "bin");
  const records = join(directory, "records");
  await mkdir(programs);
  await mkdir(records);
  for (const [name, path] of compilersInPath()) {
    await writeFile(join(programs, name), script(path, records), { mode: 0o755 });
  }
  return {
    directory: programs,
    count: () => readdirSync(records).length,
    async commands() {
      const names = (await readdir(records)).sort();
      const all = await Promise.all(names.map((name) => readFile(join(records, name), "utf8")));
      return all.flatMap((text) => {
        const [cwd = "", ...words] = text.split("\0").slice(0, -1);
        const values = VARIABLES.map((name, i) => [name, words[i] ?? ""]).filter(([, value]) => value !== "");
        return compilesOf(words.slice(VARIABLES.length), cwd, Object.fromEntries(values));
      });
    },
  };
}

function compilersInPath(): Map<string, string> {
  const prefix = `${archOfHost().toolchain.multiarch}-`;
  const isCompiler = (name: string): boolean =>
    COMPILERS.test(name.startsWith(prefix) ? name.slice(prefix.length) : name);
  const found = new Map<string, string>();
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    if (!directory.startsWith("/")) continue;
    for (const name of namesIfThere(directory)) {
      const path = join(directory, name);
      if (isCompiler(name) && !found.has(name) && isProgram(path)) found.set(name, path);
    }
  }
  return found;
}

function isProgram(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && (found.mode & 0o111) !== 0;
}

function script(compiler: string, records: string): string {
  const values = VARIABLES.map((name) => `"$${name}"`).join(" ");
  return `#!/bin/sh
set -C
n=0
until { printf '%s\\0' "$PWD" ${values} ${quoted(compiler)} "$@" >${quoted(records)}/$$.$n; } 2>/dev/null; do
  n=$((n + 1))
  [ $n -lt 1000 ] || break
done
set +C
exec ${quoted(compiler)} "$@"
`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
