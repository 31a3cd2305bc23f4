import { statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";

/** A compiler on this machine. Its `text` tells whether it is the one that code was compiled with. */
export interface Compiler {
  /** Absolute. */
  readonly path: string;
  /** The first line of --version. */
  readonly text: string;
}

/**
 * The installed compiler that a kernel's configuration names, by
 * CONFIG_CC_VERSION_TEXT: another one makes other code from the same source.
 * Throws `WRONG_COMPILER`.
 */
export async function findCompiler(versionText: string, cache: Cache, signal?: AbortSignal): Promise<Compiler> {
  const found: Compiler[] = [];
  for (const path of candidates(versionText)) {
    const text = await versionOf(path, cache, signal);
    if (identityOf(text) === identityOf(versionText)) return { path, text };
    found.push({ path, text });
  }
  const wanted = packageOf(versionText);
  throw new SutureError("WRONG_COMPILER", `the kernel was built with another compiler: ${versionText}`, {
    where: found.length === 0 ? "no gcc is installed" : found.map(({ path, text }) => `${path} is ${text}`).join("; "),
    hint: wanted === undefined ? "install that compiler" : `apt-get install ${wanted}`,
  });
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
  const { stdout } = await run(path, ["--version"], { check: true, ...(signal && { signal }) });
  const [text = ""] = stdout.split("\n", 1);
  await entry.write(text);
  return text;
}

/** `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0` is gcc-12=12.2.0-14+deb12u1. */
function packageOf(versionText: string): string | undefined {
  const match = /\((?:Debian|Ubuntu) ([^)\s]+)\) (\d+)\./.exec(versionText);
  return match === null ? undefined : `gcc-${match[2]}=${match[1]}`;
}
