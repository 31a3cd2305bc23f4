import { statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import type { CacheEntry } from "../../lib/cache-entry.ts";
import { SutureError } from "../../lib/error.ts";
import { ProgramMissing } from "../../lib/program-missing.ts";
import { run } from "../../lib/run.ts";
import { doesNotStart } from "./carried-libraries.ts";
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

/** What a packaged compiler calls itself says its package. */
export interface PackagedCompiler {
  /** For instance gcc-12. */
  readonly name: string;
  readonly major: string;
  /** Of the package, for instance 12.2.0-14+deb12u1. */
  readonly version: string;
}

/**
 * The compiler that a kernel's configuration names, by CONFIG_CC_VERSION_TEXT,
 * installed or unpacked in the cache: another one makes other code from the
 * same source. Throws `WRONG_COMPILER`, and `CACHE_DAMAGED` for one in the cache.
 */
export async function findCompiler(versionText: string, cache: Cache, signal?: AbortSignal): Promise<Compiler> {
  const found: Compiler[] = [];
  for (const path of candidates(versionText)) {
    const text = await versionOf(path, cache, signal);
    if (identityOf(text) === identityOf(versionText)) return { path, text };
    found.push({ path, text });
  }
  const wanted = packagedCompiler(versionText);
  const fetched = wanted && (await fetchedCompiler(wanted, cache, signal));
  if (fetched !== undefined && identityOf(fetched.text) === identityOf(versionText)) return fetched;
  throw new SutureError("WRONG_COMPILER", `the kernel was built with another compiler: ${versionText}`, {
    where: found.length === 0 ? "no gcc is installed" : found.map(({ path, text }) => `${path} is ${text}`).join("; "),
    hint: wanted === undefined ? "install that compiler" : `apt-get install ${wanted.name}=${wanted.version}`,
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

/** Without the name it was called by: gcc-12 and x86_64-linux-gnu-gcc-12 are the same program. */
function identityOf(text: string): string {
  return text.replace(/^\S+\s+/, "").trim();
}

function candidates(versionText: string): string[] {
  const [named = "gcc"] = versionText.split(/\s+/, 1);
  const major = /\s(\d+)\.\d+(?:\.\d+)?\s*$/.exec(versionText)?.[1];
  const names = [named, named.replace(/^.*-linux-gnu-/, ""), ...(major === undefined ? [] : [`gcc-${major}`]), "gcc"];
  return [...new Set(names)].flatMap((name) => inPath(name) ?? []);
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

/** `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0` is of the package gcc-12; undefined for what no distribution packaged. */
export function packagedCompiler(versionText: string): PackagedCompiler | undefined {
  const [, version, major] = /gcc\S*\s+\((?:Debian|Ubuntu) ([^)\s]+)\) (\d+)\./.exec(versionText) ?? [];
  if (version === undefined || major === undefined) return undefined;
  return { name: `gcc-${major}`, major, version };
}
