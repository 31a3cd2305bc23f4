/** Objects as the kernel's build makes them, from small sources, and what the object diff says of two of them. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ElfFile } from "../elf/model.ts";
import { readElf } from "../elf/read.ts";
import { type ObjectDiff, objectDiff } from "./object-diff.ts";
import type { DiffOptions } from "./options.ts";
import type { Piece } from "./selection.ts";

/** What makes code like the kernel's: a section for each function and variable, a hook at each entry. */
const FLAGS = [
  ...["-O2", "-std=gnu11", "-mcmodel=kernel", "-fno-PIE", "-pg", "-mfentry", "-mrecord-mcount"],
  ...["-ffunction-sections", "-fdata-sections", "-fcf-protection=none", "-fno-asynchronous-unwind-tables"],
  ...["-fno-strict-aliasing", "-fno-common", "-mno-sse", "-fno-stack-protector", "-fno-jump-tables"],
  ...["-ffreestanding", "-Wno-attributes"],
];

/** What of the kernel's headers the sources use. */
const PRELUDE = `
#define notrace __attribute__((no_instrument_function))
#define noinline __attribute__((noinline))
#define __used __attribute__((used))
#define __section(name) __attribute__((section(name)))
#define __init __section(".init.text")
#define __initdata __section(".init.data")
#define __exit __section(".exit.text") notrace
#define NULL ((void *)0)
extern int printk(const char *, ...);
extern int outside(int), other(int);
#line 1
`;

/** @param options more for the compiler, behind the usual ones */
export function compiledElf(source: string, options: readonly string[] = []): ElfFile {
  return assembled("unit.c", PRELUDE + source, [...FLAGS, ...options]);
}

/** The same by clang, whose hooks objtool would list. */
export function clangElf(source: string): ElfFile {
  return assembled(
    "unit.c",
    PRELUDE + source,
    FLAGS.filter((flag) => flag !== "-mrecord-mcount"),
    "clang",
  );
}

function assembled(input: string, source: string, options: readonly string[], compiler = "gcc"): ElfFile {
  const directory = mkdtempSync(join(tmpdir(), "suture-diff-test-"));
  try {
    writeFileSync(join(directory, input), source);
    const args = [...options, "-c", "-o", "unit.o", input];
    execFileSync(compiler, args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
    return readElf(readFileSync(join(directory, "unit.o")), "unit.c");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What the object diff says, by names. */
export interface Summary {
  readonly funcs: readonly string[];
  readonly newFunctions: readonly string[];
  /** Everything that travels, without what has no name. */
  readonly pieces: readonly string[];
  readonly refusals: readonly string[];
  readonly leftOut: readonly string[];
  readonly notes: readonly string[];
}

export interface Compared extends Summary {
  readonly diff: ObjectDiff;
  piece(name: string): Piece;
  /** Where a piece's references lead, `kind name`, in the order of the code, hooks left out. */
  targets(name: string): string[];
}

export interface CompareOptions extends Partial<DiffOptions> {
  readonly gcc?: readonly string[];
}

/** The object diff of two sources. */
export function compared(original: string, patched: string, options: CompareOptions = {}): Compared {
  const { gcc = [], ...diffOptions } = options;
  return comparedElf(compiledElf(original, gcc), compiledElf(patched, gcc), diffOptions);
}

/** The same of two objects. */
export function comparedElf(original: ElfFile, patched: ElfFile, options: Partial<DiffOptions> = {}): Compared {
  const diff = objectDiff(original, patched, {}, { isModule: false, needsHook: true, ...options });
  const { selection } = diff;
  const piece = (name: string): Piece => {
    const found = selection.pieces.find(({ atom }) => atom.symbols.some((symbol) => symbol.name === name));
    if (found === undefined) throw new Error(`${name} does not travel`);
    return found;
  };
  const targets = (name: string): string[] =>
    piece(name).references.flatMap(({ destination }) => {
      switch (destination.kind) {
        case "literal":
          return [`literal ${destination.literal.bytes.replace(/\0$/, "")}`];
        case "external":
          return destination.name === "__fentry__" ? [] : [`external ${destination.name}`];
        case "absolute":
          return [`absolute ${destination.value}`];
        case "entry":
          return [`entry ${destination.entry.table.name}`];
        default:
          return [`${destination.kind} ${destination.atom.name}`];
      }
    });
  return {
    diff,
    piece,
    targets,
    funcs: selection.funcs.map(({ name }) => name).sort(),
    newFunctions: [...selection.newFunctions].sort(),
    pieces: selection.pieces.flatMap(({ atom }) => (atom.anonymous ? [] : [atom.name])).sort(),
    refusals: diff.refusals.map(({ code }) => code),
    leftOut: diff.leftOut.map(({ code }) => code),
    notes: diff.notes.map(({ code }) => code),
  };
}

/** A summary of which only the given parts are not empty. */
export function only(parts: Partial<Summary>): Summary {
  return { funcs: [], newFunctions: [], pieces: [], refusals: [], leftOut: [], notes: [], ...parts };
}
