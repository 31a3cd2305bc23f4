/** What the libraries that a program needs define, by those of this machine. */
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { PT } from "../../elf/constants.ts";
import type { ElfFile } from "../../elf/model.ts";
import { readElf } from "../../elf/read.ts";
import { elfHead, isX86_64 } from "./machine.ts";
import type { ShippedProgram } from "./shipped-program.ts";

const DIRECTORIES = [
  ...["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64"],
  ...["/usr/local/lib", "/lib", "/usr/lib"],
];
/** By path. */
const exported = new Map<string, ReadonlySet<string>>();

/** Whether something that the object needs defines it: a library, or the dynamic linker itself, which is musl's libc. */
export function isInLibrary(name: string, { file, needed }: ShippedProgram): boolean {
  const linker = interpreterOf(file);
  const beside = linker === undefined ? [] : [dirname(linker)];
  const libraries = needed.map((soname) =>
    [...beside, ...DIRECTORIES].map((each) => join(each, soname)).find(isLibrary),
  );
  return [linker, ...libraries].some((path) => path !== undefined && isLibrary(path) && exportsOf(path).has(name));
}

/** A linker script has the name of a library too. */
function isLibrary(path: string): boolean {
  const head = elfHead(path);
  return head !== undefined && isX86_64(head);
}

/** The dynamic linker that the program names. */
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

function exportsOf(path: string): ReadonlySet<string> {
  const known = exported.get(path);
  if (known !== undefined) return known;
  const symbols = readElf(readFileSync(path), path).dynamicSymbols;
  const names = new Set(symbols.filter(({ place }) => place.kind === "section").map((symbol) => symbol.name));
  exported.set(path, names);
  return names;
}
