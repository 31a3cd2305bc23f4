import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { linked, livepatch, program } from "../../test/fixtures/patched-program.ts";
import { SHF, SHN, STT } from "../elf/constants.ts";
import { readElf } from "../elf/read.ts";
import { temporaryDirectory } from "../lib/temp.ts";
import { readProgramMetadata } from "../patch/read-program-metadata.ts";

const SOURCE = `
#include <stdio.h>
#include <string.h>
static int counter = 5;
static __thread int mine;
__attribute__((noinline)) static int helper(int n) { counter += n; return counter; }
__attribute__((noinline)) int work(const char *s) { mine++; return helper(strlen(s)) + mine; }
int main(int argc, char **argv) { return work(argv[0]) + helper(argc); }
`;
const PATCHED = SOURCE.replace("return helper(strlen(s)) + mine;", 'printf("%d\\n", mine); return helper(7) * mine;');

test("a livepatch says where its object has what it needs, and what is to be looked up", async () => {
  await using directory = await temporaryDirectory();
  const original = program({ directory: directory.path, name: "serve", source: SOURCE });
  const path = livepatch(original, PATCHED);
  const file = readElf(readFileSync(path), path);
  const symbol = (name: string) => file.symbols.find((each) => each.name === name);
  const shipped = (name: string) => original.elf.symbols.find((each) => each.name === name);
  expect(symbol(".klp.sym.serve.helper,0")).toMatchObject({
    value: shipped("helper")?.value,
    size: shipped("helper")?.size,
    type: STT.FUNC,
    place: { kind: "reserved", value: SHN.LIVEPATCH },
  });
  expect(symbol(".klp.sym.serve.mine,0")).toMatchObject({ value: shipped("mine")?.value, type: STT.TLS });
  expect(symbol(".klp.sym.serve.printf,0")).toMatchObject({ place: { kind: "undefined" } });
  const section = file.sections.find(({ name }) => name === ".klp.rela.serve..text.serve");
  expect(section?.flags).toBe(SHF.ALLOC | SHF.INFO_LINK | SHF.RELA_LIVEPATCH);
});

test("the metadata names every section of the object, and the new function by a symbol", async () => {
  await using directory = await temporaryDirectory();
  const original = program({ directory: directory.path, name: "serve", source: SOURCE });
  const path = livepatch(original, PATCHED);
  const file = readElf(readFileSync(path), path);
  const { objects } = readProgramMetadata(file);
  expect(objects).toMatchObject([{ name: "serve", funcs: [{ name: "work", symbol: "serve:work,0" }] }]);
  const held = file.sections.filter(({ flags }) => (flags & (SHF.ALLOC | SHF.RELA_LIVEPATCH)) === SHF.ALLOC);
  expect(objects[0]?.sections.toSorted()).toEqual(held.map(({ name }) => name).sort());
});

test("the new code's call-frame information is what the compiler gave it", async () => {
  await using directory = await temporaryDirectory();
  const original = program({ directory: directory.path, name: "serve", source: SOURCE });
  const path = livepatch(original, PATCHED);
  const size = readElf(readFileSync(path), path).symbols.find(({ name }) => name === "work")?.size;
  execFileSync("objcopy", ["--rename-section", ".eh_frame.serve=.eh_frame", path]);
  const given = rulesOf(`${directory.path}/serve.patched.o`, Number(size));
  expect(given.length).toBeGreaterThan(0);
  expect(rulesOf(path, Number(size))).toEqual(given);
});

/** Of the entry for code of that many bytes, what readelf shows. */
function rulesOf(path: string, size: number): string[] {
  const shown = execFileSync("readelf", ["--debug-dump=frames", path], { encoding: "utf8" });
  const entry = shown.split("\n\n").find((each) => {
    const [, from = "0", to = "0"] = /pc=([0-9a-f]+)\.\.([0-9a-f]+)/.exec(each) ?? [];
    return Number.parseInt(to, 16) - Number.parseInt(from, 16) === size;
  });
  const rules = (entry ?? "").split("\n").slice(1);
  return rules.map((line) => line.replace(/ to .*/, "").trim()).filter((line) => line !== "DW_CFA_nop");
}

test("a new thread-local variable is refused", async () => {
  await using directory = await temporaryDirectory();
  const original = program({ directory: directory.path, name: "serve", source: SOURCE });
  const { refusals } = linked(original, SOURCE.replace("mine++;", "static __thread int fresh = 3; mine += fresh++;"));
  expect(refusals.map(({ code }) => code)).toContain("THREAD_LOCAL_NEW");
});

test("a function through which an exception could be thrown is refused", async () => {
  await using directory = await temporaryDirectory();
  const source = `
    #include <string>
    __attribute__((noinline)) int parse(const std::string &s) { return std::stoi(s + "1"); }
    __attribute__((noinline)) int twice(int n) noexcept { return 2 * n; }
    int main(int argc, char **argv) { try { return parse(argv[0]); } catch (...) { return twice(argc); } }
  `;
  const original = program({ directory: directory.path, name: "parser", source, language: "c++" });
  const codes = (patched: string) => linked(original, patched).refusals.map(({ code }) => code);
  expect(codes(source.replace('"1"', '"12"'))).toContain("EXCEPTIONS");
  expect(codes(source.replace("2 * n", "3 * n"))).not.toContain("EXCEPTIONS");
});
