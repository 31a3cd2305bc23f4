/** Small programs as they ship, stripped, beside the truth that stripping took away. */
import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { STT } from "../../../elf/constants.ts";
import type { ElfFile } from "../../../elf/model.ts";
import { readElf } from "../../../elf/read.ts";
import { ShippedProgram } from "./shipped-program.ts";

export interface Linked {
  /** Objects by source name. */
  readonly objects: ReadonlyMap<string, ElfFile>;
  readonly shipped: ShippedProgram;
  /** What the linker knew: addresses by name, of functions and variables; names that repeat left out. */
  readonly truth: ReadonlyMap<string, number>;
}

export interface LinkOptions {
  readonly compile: readonly string[];
  readonly link: readonly string[];
  /** Default: a stripped file. */
  readonly keepsSymbols?: boolean;
}

/** @param sources by file name, .c or .cc */
export function linked(
  sources: Readonly<Record<string, string>>,
  { compile, link, keepsSymbols }: LinkOptions,
): Linked {
  const directory = mkdtempSync(join(tmpdir(), "suture-linked-"));
  const cwd: ExecFileSyncOptions = { cwd: directory, stdio: ["ignore", "ignore", "pipe"] };
  try {
    const objects = new Map<string, ElfFile>();
    const files: string[] = [];
    let compiler = "gcc";
    for (const [name, text] of Object.entries(sources)) {
      writeFileSync(join(directory, name), text);
      const own = name.endsWith(".cc") ? "g++" : "gcc";
      if (own === "g++") compiler = own;
      const object = `${name}.o`;
      execFileSync(own, [...compile, "-c", "-o", object, name], cwd);
      objects.set(name, readElf(readFileSync(join(directory, object)), name));
      files.push(object);
    }
    execFileSync(compiler, [...link, "-o", "program", ...files], cwd);
    const whole = readElf(readFileSync(join(directory, "program")), "program");
    if (keepsSymbols !== true) execFileSync("strip", ["program"], cwd);
    const shipped = readElf(readFileSync(join(directory, "program")), "program");
    return { objects, shipped: new ShippedProgram(shipped, "/usr/bin/program", "program"), truth: truthOf(whole) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function truthOf({ symbols }: ElfFile): Map<string, number> {
  const truth = new Map<string, number>();
  const repeated = new Set<string>();
  for (const { name, type, value, place } of symbols) {
    if (place.kind !== "section" || name === "" || type === STT.SECTION || type === STT.FILE) continue;
    if (truth.has(name) && truth.get(name) !== Number(value)) repeated.add(name);
    truth.set(name, Number(value));
  }
  for (const name of repeated) truth.delete(name);
  return truth;
}
