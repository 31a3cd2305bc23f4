/** What objects of older kernels have that those of today's do not. */
import { describe, expect, test } from "vitest";
import type { ElfFile } from "../elf/model.ts";
import { compared, comparedElf, compiledElf, only } from "./compiled.fixture.ts";

const RELA = 24;

/** As recordmcount leaves an object: the entry calls are NOPs, and their relocations none. */
function withEmptiedHooks(file: ElfFile): ElfFile {
  for (const { type, data } of file.sections) {
    if (type !== 4) continue;
    for (let at = 0; at < data.length; at += RELA)
      if (file.symbols[data.readUInt32LE(at + 12)]?.name === "__fentry__") data.writeUInt32LE(0, at + 8);
  }
  const sections = file.sections.map((each) => (each.name === "__mcount_loc" ? { ...each, name: ".discard" } : each));
  return { ...file, sections };
}

test("a function whose entry call is a NOP already has a hook", () => {
  const source = "int first(int a) { return outside(a) + 1; }";
  const [before, after] = [source, source.replace("+ 1", "+ 2")].map((text) => withEmptiedHooks(compiledElf(text)));
  if (before === undefined || after === undefined) throw new Error("nothing was compiled");
  expect(comparedElf(before, after)).toMatchObject(only({ funcs: ["first"], pieces: ["first"] }));
});

describe("a table", () => {
  const entry = (kind: number) =>
    `asm volatile("771: .byte 0xe8; .long 0; .pushsection .parainstructions, \\"a\\"; .balign 8; .quad 771b; .byte ${kind}, 5; .short 0; .popsection");`;
  const source = `
    int first(int a) { ${entry(1)} return outside(a); }
    int second(int a) { ${entry(2)} return outside(a) + 2; }
  `;

  test("may end where its last entry's padding would begin", () => {
    const section = compiledElf(source).sections.find(({ name }) => name === ".parainstructions");
    expect(section?.data.length).toBe(28);
    const { piece } = compared(source, source.replace("+ 2", "+ 3"));
    expect(piece("second").entries.filter(({ entry: { table } }) => table.name === ".parainstructions")).toHaveLength(
      1,
    );
    expect(piece("second").entries.map(({ entry: { data } }) => data.length)).toContain(16);
  });

  test("tells the size of its entries by its relocations: alternatives of 13 bytes", () => {
    const alternative = `asm volatile("661: nop; 662: .pushsection .altinstructions, \\"a\\"; .long 661b - ., 663f - .; .word 0; .byte 1, 1, 0; .popsection; .pushsection .altinstr_replacement, \\"ax\\"; 663: nop; .popsection");`;
    const text = `
      int first(int a) { ${alternative} return outside(a); }
      int second(int a) { ${alternative} return outside(a) + 2; }
    `;
    const { piece, funcs } = compared(text, text.replace("+ 2", "+ 3"));
    expect(funcs).toEqual(["second"]);
    expect(piece("second").entries.map(({ entry: { data } }) => data.length)).toContain(13);
  });
});

test("an alternative that puts nothing in place names no code of others", () => {
  const alternative = (bytes: string, count: number) =>
    `asm volatile("661: nop; 662: .pushsection .altinstructions, \\"a\\"; .long 661b - ., 663f - .; .word 0; .byte 1, ${count}; .popsection; .pushsection .altinstr_replacement, \\"ax\\"; 663: ${bytes}; .popsection");`;
  const source = `
    int first(int a) { ${alternative("", 0)} return outside(a); }
    int second(int a) { ${alternative("nop", 1)} return outside(a) + 2; }
  `;
  expect(compared(source, source.replace("663: nop", "663: clc")).funcs).toEqual(["second"]);
});

describe("a line number that code hands to a check", () => {
  const source = `
    extern void __might_sleep(const char *file, int line);
    int first(int a) { __might_sleep("first.c", __LINE__); return outside(a); }
    int second(int a) { return outside(a) + 4711; }
  `;

  test("is no change of the function", () => {
    const { diff, funcs } = compared(source, `\n\n${source}`.replace("4711", "4712"));
    expect(funcs).toEqual(["second"]);
    expect(diff.fates.find(({ name }) => name === "first")).toMatchObject({ fate: "without-effect" });
  });

  test("is one where it is anything else's argument", () => {
    const patched = `\n\n${source}`;
    expect(
      compared(source.replaceAll("__might_sleep", "keep"), patched.replaceAll("__might_sleep", "keep")).funcs,
    ).toEqual(["first"]);
  });
});
