/**
 * Programs of another system than this machine's, run with libraries of their
 * own: by a dynamic linker that lies beside them (ld.so(8), --library-path).
 */
import { chmod, copyFile, mkdir, open, readdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { SutureError } from "../../lib/error.ts";
import { type RunResult, run } from "../../lib/run.ts";

/** Libraries that lie in one directory with the dynamic linker that loads them. */
export interface CarriedLibraries {
  /** Absolute. */
  readonly directory: string;
  /** File name of the dynamic linker. */
  readonly linker: string;
}

/** A script that runs a program with carried libraries. All three may be moved together. */
export interface CarriedScript {
  /** Where the script is put. */
  readonly script: string;
  readonly program: string;
  /** Arguments before the script's own, in the shell's words: `$libraries` is their directory, `$linker` the linker, `$here` the script's. */
  readonly more?: readonly string[];
}

/** Whether this machine has the libraries that a program asks for, in the versions that it asks for. True for what is no ELF file. */
export async function startsHere(program: string, signal?: AbortSignal): Promise<boolean> {
  if (!(await isElf(program))) return true;
  try {
    // The linker lists what it would load, and runs nothing.
    const traced = await run(program, [], { env: { LD_TRACE_LOADED_OBJECTS: "1" }, signal });
    return traced.exitCode === 0 && traced.stderr === "" && !traced.stdout.includes("not found");
  } catch (error) {
    // Its dynamic linker is none that this machine has.
    if (error instanceof SutureError && error.code === "PROGRAM_MISSING") return false;
    throw error;
  }
}

/**
 * Copies the libraries that programs need, and those that these need, out of an
 * unpacked system. Throws `TOOL_DOES_NOT_START` where one is not there.
 *
 * @param from directories of the system that may hold libraries, its dynamic linker in one of them
 */
export async function carryLibraries(
  programs: readonly string[],
  from: readonly string[],
  into: string,
  signal?: AbortSignal,
): Promise<CarriedLibraries> {
  const linker = await linkerIn(from);
  const found = new Map<string, string>([[basename(linker), linker]]);
  for (const program of programs) {
    const listed = await run(linker, ["--library-path", from.join(":"), "--list", program], { signal });
    const said = `${listed.stdout}${listed.stderr}`;
    if (listed.exitCode !== 0 || said.includes("not found")) throw doesNotStart(program, said);
    for (const [, path = ""] of listed.stdout.matchAll(/=> (\/.*) \(0x/g)) {
      // The linker looks at the places of this machine's own libraries too.
      if (!from.includes(dirname(path))) throw doesNotStart(program, `${basename(path)}: not found in its packages`);
      found.set(basename(path), path);
    }
  }
  await mkdir(into, { recursive: true });
  for (const [name, path] of found) await copyFile(path, join(into, name));
  await chmod(join(into, basename(linker)), 0o755);
  return { directory: into, linker: basename(linker) };
}

/** Writes a script that runs a program with carried libraries. Throws `TOOL_DOES_NOT_START` for a path that no linker can be told. */
export async function writeCarriedScript(
  { directory, linker }: CarriedLibraries,
  { script, program, more = [] }: CarriedScript,
): Promise<void> {
  if (/[,:]/.test(directory))
    throw new SutureError("TOOL_DOES_NOT_START", "a path with a comma or a colon cannot hold libraries", {
      where: directory,
      hint: "name a directory without them with SUTURE_CACHE",
    });
  const here = dirname(script);
  const args = ["--library-path", '"$libraries"', "--argv0", '"$program"', '"$program"', ...more, '"$@"'];
  const lines = [
    "#!/bin/sh",
    "here=${0%/*}",
    `libraries=$here/${relative(here, directory)}`,
    `linker=$libraries/${linker}`,
    `program=$here/${relative(here, program)}`,
    `exec "$linker" ${args.join(" ")}`,
  ];
  await mkdir(here, { recursive: true });
  await writeFile(script, `${lines.join("\n")}\n`);
  await chmod(script, 0o755);
}

/** What dynamic linkers, the shell and gcc's driver say of a program that cannot be run. */
const CANNOT_START =
  /error while loading shared libraries|version `[\w.]+' not found|cannot execute( binary file)?:|: not found$|Exec format error/m;

/** Whether a program that has ended was never run, by what was said in its place. */
export function neverRan({ exitCode, stderr }: Pick<RunResult, "exitCode" | "stderr">): boolean {
  return exitCode !== null && exitCode !== 0 && CANNOT_START.test(stderr);
}

/** That a program of a kernel's or a compiler's does not run on this machine, with what its linker said. */
export function doesNotStart(program: string, said: string): SutureError {
  const why = said.split("\n").find((line) => /not found|error/i.test(line)) ?? said;
  return new SutureError("TOOL_DOES_NOT_START", `${basename(program)} does not start on this machine`, {
    where: program,
    hint: why.trim().slice(0, 300),
  });
}

/** Of the GNU C library, for any machine: ld-linux-x86-64.so.2, ld64.so.1, ld-linux-aarch64.so.1. */
const LINKER = /^ld(-linux[\w-]*|64)\.so\.\d$/;

async function linkerIn(directories: readonly string[]): Promise<string> {
  for (const directory of directories) {
    const name = (await readdir(directory).catch(() => [] as string[])).find((each) => LINKER.test(each));
    if (name !== undefined) return join(directory, name);
  }
  throw new SutureError("TOOL_DOES_NOT_START", "the packages that were unpacked hold no dynamic linker", {
    where: directories.join(", "),
  });
}

const ELF_MAGIC = "\x7fELF";

async function isElf(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(ELF_MAGIC.length), 0, ELF_MAGIC.length, 0);
    return buffer.toString("latin1") === ELF_MAGIC;
  } finally {
    await file.close();
  }
}
