import { statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import type { CacheEntry } from "../../lib/cache-entry.ts";
import { SutureError } from "../../lib/error.ts";
import { ProgramMissing } from "../../lib/program-missing.ts";
import { run } from "../../lib/run.ts";
import { doesNotStart } from "./carried-libraries.ts";
import { candidateNames, identityOf, type PackagedCompiler, packagedCompiler, packageHint } from "./compiler-names.ts";
import { GCC_SCRIPT } from "./unpacked-gcc.ts";

/** A compiler on this machine. Its `text` tells whether it is the one that code was compiled with. */
export interface Compiler {
  /** Absolute. */
  readonly path: string;
  /** The first line of --version. */
  readonly text: string;
  /** Whether it can make objects alone: it is unpacked in the cache, without what links programs. */
  readonly objectsOnly?: boolean;
}

/** What is known of the compiler that a kernel was built with. */
export interface WantedCompiler {
  /** CONFIG_CC_VERSION_TEXT. */
  readonly compilerText: string;
  /** What its build ran, a path or a name, where the build has left a record of it. */
  readonly compilerPath?: string | undefined;
}

/**
 * The compiler that a kernel was built with, installed or unpacked in the cache:
 * another one makes other code from the same source. Throws `WRONG_COMPILER`, and
 * `CACHE_DAMAGED` for one in the cache.
 */
export async function findCompiler(
  { compilerText, compilerPath }: WantedCompiler,
  cache: Cache,
  signal?: AbortSignal,
): Promise<Compiler> {
  const found: Compiler[] = [];
  const names = candidateNames(compilerText);
  const paths = [...(compilerPath === undefined ? [] : [compilerPath]), ...names].flatMap((name) => inPath(name) ?? []);
  for (const path of new Set(paths)) {
    const text = await versionOf(path, cache, signal);
    if (identityOf(text) === identityOf(compilerText)) return { path, text };
    found.push({ path, text });
  }
  const wanted = packagedCompiler(compilerText);
  const fetched = wanted && (await fetchedCompiler(wanted, cache, signal));
  if (fetched !== undefined && identityOf(fetched.text) === identityOf(compilerText)) return fetched;
  const here = found.map(({ path, text }) => `${path} is ${text}`).join("; ");
  throw new SutureError("WRONG_COMPILER", `the kernel was built with another compiler: ${compilerText}`, {
    where: here === "" ? `none of these is installed: ${names.join(", ")}` : here,
    hint: packageHint(compilerText),
  });
}

/** Where a compiler that is no part of this machine is kept, unpacked. */
export function toolchainEntry(cache: Cache, { name, version }: PackagedCompiler): CacheEntry {
  return cache.named("toolchains", `${name}_${version}`);
}

async function fetchedCompiler(
  wanted: PackagedCompiler,
  cache: Cache,
  signal: AbortSignal | undefined,
): Promise<Compiler | undefined> {
  const entry = toolchainEntry(cache, wanted);
  if (!entry.exists()) return undefined;
  const damaged = await entry.damage();
  if (damaged !== undefined)
    throw new SutureError("CACHE_DAMAGED", "a file of a compiler in the cache is not as it was unpacked", {
      where: damaged,
      hint: `remove ${entry.path}, and fetch the kernel again`,
    });
  const path = join(entry.path, GCC_SCRIPT);
  return { path, text: await versionOf(path, cache, signal), objectsOnly: true };
}

/** What links programs for this machine: the compiler itself, or the machine's own. Throws `PROGRAM_MISSING`. */
export function linkingCompiler({ path, objectsOnly = false }: Compiler): string {
  if (!objectsOnly) return path;
  const host = inPath("gcc") ?? inPath("cc");
  if (host === undefined) throw new ProgramMissing("gcc");
  return host;
}

/** The compiler that a command names. Throws `PROGRAM_MISSING`. */
export async function compilerNamed(name: string, cache: Cache, signal?: AbortSignal): Promise<Compiler> {
  const path = inPath(name);
  if (path === undefined)
    throw new SutureError("PROGRAM_MISSING", `the compiler that was used is not here: ${name}`, {
      hint: "install it, or build the program again with one that is here",
    });
  return { path, text: await versionOf(path, cache, signal) };
}

function inPath(program: string): string | undefined {
  if (isAbsolute(program)) return isFile(program) ? program : undefined;
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(directory, program);
    if (isAbsolute(directory) && isFile(path)) return path;
  }
  return undefined;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** Asking the compiler takes as long as ten lookups of the rest together, so the answer is kept. */
async function versionOf(path: string, cache: Cache, signal: AbortSignal | undefined): Promise<string> {
  const { mtimeMs, size, ino } = statSync(path);
  const entry = cache.entry("compilers", [path, `${mtimeMs} ${size} ${ino}`]);
  const known = await entry.read();
  if (known !== undefined) return known.toString();
  const { exitCode, stdout, stderr } = await run(path, ["--version"], { signal });
  if (exitCode !== 0) throw doesNotStart(path, stderr);
  const [text = ""] = stdout.split("\n", 1);
  await entry.write(text);
  return text;
}
