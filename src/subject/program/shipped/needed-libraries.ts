/** What the libraries that an object needs define, as they lie on this machine: where the dynamic linker would look for them. */
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { archOfHost } from "../../../arch/registry.ts";
import { PT } from "../../../elf/constants.ts";
import type { ElfFile } from "../../../elf/model.ts";
import { readElf } from "../../../elf/read.ts";
import { SutureError } from "../../../lib/error.ts";
import { elfHead, isForHost } from "../../../provider/program/machine.ts";
import { type DynamicStrings, dynamicStrings } from "./dynamic-strings.ts";
import type { ShippedProgram } from "./shipped-program.ts";

/** Those of ld.so and of Debian's multiarch. */
function usualDirectories(): readonly string[] {
  const { multiarch } = archOfHost().toolchain;
  return [`/lib/${multiarch}`, `/usr/lib/${multiarch}`, "/lib64", "/usr/lib64", "/usr/local/lib", "/lib", "/usr/lib"];
}

const CONFIGURATION = "/etc/ld.so.conf";
const MOST_LIBRARIES = 1024;

interface Library {
  readonly names: ReadonlySet<string>;
  readonly dynamic: DynamicStrings;
}

/** A library that the object at `from` needs. */
interface Wanted {
  readonly soname: string;
  readonly from: string;
  readonly runPaths: readonly string[];
}

const known = new Map<string, Library | undefined>();
let configured: readonly string[] | undefined;

/** What compilers link with, where it is used: an object that has used nothing of it so far does not say that it needs it. */
const OF_THE_LANGUAGE = ["libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1"];

/** Whether a library that the object needs, or one that those need, defines the name. */
export function isInLibrary(name: string, { file, path }: ShippedProgram): boolean {
  const own = dynamicStrings(file);
  const seen = new Set<string>();
  const interpreter = interpreterOf(file);
  // Of musl it is the C library as well, and others lie beside it.
  const beside = interpreter === undefined ? [] : [dirname(interpreter)];
  const queue: Wanted[] = own.needed.map((soname) => ({ soname, from: path, runPaths: [...own.runPaths, ...beside] }));
  if (own.isLibrary) queue.push(...OF_THE_LANGUAGE.map((soname) => ({ soname, from: path, runPaths: own.runPaths })));
  if (interpreter !== undefined) queue.push({ soname: interpreter, from: path, runPaths: [] });
  for (const { soname, from, runPaths } of queue) {
    if (seen.has(soname) || seen.size > MOST_LIBRARIES) continue;
    seen.add(soname);
    const found = findLibrary(soname, from, [...runPaths, ...own.runPaths, ...beside]);
    if (found === undefined) continue;
    if (found.library.names.has(name)) return true;
    const { needed, runPaths: more } = found.library.dynamic;
    queue.push(...needed.map((each) => ({ soname: each, from: found.path, runPaths: more })));
  }
  return false;
}

function findLibrary(soname: string, from: string, runPaths: readonly string[]) {
  const origin = dirname(from);
  const directories = runPaths.map((each) => each.replaceAll(/\$ORIGIN|\$\{ORIGIN\}/g, origin));
  configured ??= configuredIn(CONFIGURATION, 0);
  const paths = soname.includes("/")
    ? [soname]
    : [...directories, ...configured, ...usualDirectories()].map((directory) => join(directory, soname));
  for (const path of paths) {
    const library = isLibrary(path) ? readLibrary(path) : undefined;
    if (library !== undefined) return { path, library };
  }
  return undefined;
}

/** A linker script has the name of a library too. */
function isLibrary(path: string): boolean {
  const head = elfHead(path);
  return head !== undefined && isForHost(head);
}

/** undefined for what cannot be read. */
function readLibrary(path: string): Library | undefined {
  if (known.has(path)) return known.get(path);
  const library = readAsElf(path);
  known.set(path, library);
  return library;
}

function readAsElf(path: string): Library | undefined {
  try {
    const file = readElf(readFileSync(path), path);
    const defined = file.dynamicSymbols.filter(({ place }) => place.kind === "section");
    return { names: new Set(defined.map(({ name }) => name)), dynamic: dynamicStrings(file) };
  } catch (error) {
    if (error instanceof SutureError || typeof (error as NodeJS.ErrnoException).code === "string") return undefined;
    throw error;
  }
}

function interpreterOf(file: ElfFile): string | undefined {
  const header = file.programHeaders.find(({ type }) => type === PT.INTERP);
  if (header === undefined) return undefined;
  const path = file.data.toString("latin1", header.offset, header.offset + header.fileSize).replace(/\0.*$/s, "");
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Source: ldconfig(8). */
function configuredIn(path: string, depth: number): string[] {
  const lines = textOf(path)
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim());
  return lines.flatMap((line) => {
    const pattern = /^include\s+(.*)$/.exec(line)?.[1];
    if (pattern === undefined) return line.startsWith("/") ? [line] : [];
    return depth > 3 ? [] : filesLike(pattern.trim()).flatMap((file) => configuredIn(file, depth + 1));
  });
}

/** Files of one directory that a shell pattern with stars means. */
function filesLike(pattern: string): string[] {
  const directory = dirname(join("/etc", pattern.startsWith("/") ? `..${pattern}` : pattern));
  const parts = pattern.slice(pattern.lastIndexOf("/") + 1).split("*");
  const name = new RegExp(`^${parts.map((part) => part.replaceAll(/[^\w-]/g, "\\$&")).join(".*")}$`);
  try {
    return readdirSync(directory)
      .filter((each) => name.test(each))
      .sort()
      .map((each) => join(directory, each));
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
