import { readFile } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { commandIn, withoutWrappers } from "./recorded-commands.ts";

/** Made by the compiler in every build of a kernel, before all else. */
const FIRST = "kernel/.bounds.s.cmd";

/**
 * Which program has compiled a kernel: a name to be looked for in PATH, or an absolute
 * path; undefined where `build` has no record.
 */
export async function recordedCompiler(build: string): Promise<string | undefined> {
  const [run = []] = commandIn(await readFile(join(build, FIRST), "utf8").catch(() => ""))?.runs ?? [];
  const [program] = withoutWrappers(run);
  return program === undefined ? undefined : fromWhereItRan(program, build);
}

/** A path that is relative counts from where make ran. */
export function fromWhereItRan(program: string, directory: string): string {
  return program.includes("/") && !isAbsolute(program) ? resolve(directory, program) : program;
}
