/** What a compile takes in from the machine that builds, beside the source and the compiler's own headers. */
import { isAbsolute, normalize, resolve } from "node:path";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Compiler } from "../provider/toolchain/compiler.ts";
import { isClang } from "../provider/toolchain/compiler-names.ts";
import { parseDependencies } from "../source/dependencies.ts";

/** Headers of compilers, and of libraries that a program is built with. */
const SYSTEM = ["/usr/include", "/usr/local/include", "/usr/lib/gcc", "/usr/lib/clang", "/usr/libexec/gcc"];
const SYSTEM_VERSIONS = /^\/usr\/(lib\/llvm-[\w.]+|local\/lib\/(gcc|clang))\//;

/**
 * Options by which the assembler writes down what it reads itself (`.incbin`,
 * `.include`), which the compiler knows nothing of. None for a compiler with an
 * assembler of its own, which cannot.
 */
export function assemblerList(list: string, compiler: Compiler): string[] {
  return tellsAll(compiler) ? [`-Wa,--MD,${list}`] : [];
}

/** Whether what its assembler takes in is told as well; clang has one of its own, which does not tell. */
export function tellsAll(compiler: Compiler): boolean {
  return !isClang(compiler);
}

/** @param text the assembler's list, in the form that make takes */
export function assemblerReads(text: string): string[] {
  // Its own input is among them, where the compiler has put it into a file.
  return parseDependencies(text).filter((path) => !/\/cc\w+\.s$/.test(path));
}

/**
 * Of the files that were read those that are below none of the roots, as
 * absolute paths. @param directory where the compiler ran
 */
export function outsideFiles(read: readonly string[], directory: string, roots: readonly string[]): string[] {
  const inside = [...roots.map((root) => normalize(root).replace(/\/$/, "")), ...SYSTEM];
  const paths = read.map((path) => (isAbsolute(path) ? normalize(path) : resolve(directory, path)));
  const isInside = (path: string): boolean =>
    SYSTEM_VERSIONS.test(path) || inside.some((root) => path === root || path.startsWith(`${root}/`));
  return [...new Set(paths.filter((path) => !isInside(path)))];
}

/** Words by which an assembler takes files in: where nobody writes down which, they are not taken at all. */
const TAKES_IN = /incbin|\.include\b|\.macro\b/;

/** Whether a diff may take files in by an assembler that does not tell. */
export function mayTakeIn(original: string | undefined, patched: string | undefined): boolean {
  return TAKES_IN.test(patched ?? "") && !TAKES_IN.test(original ?? "");
}

/** `OUTSIDE_FILE`: the livepatch would hold what only this machine has. */
export function outsideRefusal(source: string, path: string): Refusal {
  return refusal(
    "OUTSIDE_FILE",
    `${source} takes in ${path} with the diff, a file of the machine that builds, and no part of the source`,
    source,
    "bring along what the fix needs as a file of the diff",
  );
}
