/** Small programs as a user has them: sources, compile commands, and a stripped file that was built from them. */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { readElf } from "../../src/elf/read.ts";
import type { ProgramMetadata } from "../../src/patch/program-metadata.ts";
import { readProgramMetadata } from "../../src/patch/read-program-metadata.ts";
import { shown } from "../fixtures/shown.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");

export type Files = Readonly<Record<string, string>>;

export class Project {
  readonly directory = mkdtempSync(join(tmpdir(), "suture-build-"));
  readonly #files: Files;

  constructor(files: Files, compile: string, link: string, compiler = "gcc") {
    this.#files = files;
    for (const [path, text] of Object.entries(files)) this.#write(path, text);
    mkdirSync(join(this.directory, "build"));
    const cwd = join(this.directory, "build");
    const sources = Object.keys(files).filter((path) => /\.(c|cc)$/.test(path));
    const commands = sources.map((source) => {
      const command = `${compiler} ${compile} -o ${source.replaceAll("/", "_")}.o -c ../${source}`;
      execFileSync("sh", ["-c", command], { cwd });
      return { directory: cwd, command, file: `../${source}` };
    });
    writeFileSync(join(cwd, "compile_commands.json"), JSON.stringify(commands));
    execFileSync("sh", ["-c", `${compiler} ${link} -o ../server *.o && strip ../server`], { cwd });
  }

  #write(path: string, text: string): void {
    mkdirSync(join(this.directory, dirname(path)), { recursive: true });
    writeFileSync(join(this.directory, path), text);
  }

  /** Builds from the diff between the project's files and these. */
  build(patched: Readonly<Record<string, string | undefined>>, ...options: string[]) {
    const parts = Object.entries(patched).map(([path, text]) => diffOf(path, this.#files[path], text));
    writeFileSync(join(this.directory, "fix.patch"), parts.join(""));
    const named = ["--compile-commands", "build/compile_commands.json", "--exe", "server"];
    const args = ["build", "--json", "-q", ...named, ...options, "fix.patch"];
    const env = { ...process.env, SUTURE_CACHE: join(this.directory, "cache") };
    const { status, stdout, stderr } = spawnSync(SUTURE, args, { cwd: this.directory, encoding: "utf8", env });
    const result = stdout === "" ? { stderr } : shown(stdout);
    return { status, result, codes: (result.refusals ?? []).map((each: { code: string }) => each.code) as string[] };
  }

  /** What the built livepatch says of itself. */
  metadata(): ProgramMetadata {
    const path = join(this.directory, "livepatch-fix.o");
    return readProgramMetadata(readElf(readFileSync(path), path));
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** As `diff -u` has it; undefined where there is no file. */
export function diffOf(path: string, before: string | undefined, after: string | undefined): string {
  const directory = mkdtempSync(join(tmpdir(), "suture-diff-"));
  try {
    const name = (text: string | undefined, file: string) => {
      if (text === undefined) return "/dev/null";
      writeFileSync(join(directory, file), text);
      return join(directory, file);
    };
    const { stdout } = spawnSync("diff", ["-u", name(before, "a"), name(after, "b")], { encoding: "utf8" });
    const lines = stdout.split("\n").slice(2).join("\n");
    return `--- ${before === undefined ? "/dev/null" : `a/${path}`}\n+++ ${after === undefined ? "/dev/null" : `b/${path}`}\n${lines}`;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Throws where `from` is not in the text. */
export function changed(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`no ${from}`);
  return text.replace(from, to);
}
