/** What objects of kernels since 6.19 have that those before do not, as the audit compares it. */
import { describe, expect, test } from "vitest";
import { fromAssembly, fromC } from "../elf/compiled.fixture.ts";
import { readElf } from "../elf/read.ts";
import { compareObjects } from "./compare.ts";
import { lineNumbersOf } from "./line-numbers.ts";

const FLAGS = ["-O2", "-fno-pic", "-fno-asynchronous-unwind-tables"];

function differences(original: string, patched: string, ...flags: string[]): string[] {
  const [a, b] = [original, patched].map((text) => readElf(fromC(text, ...FLAGS, ...flags), "input.c"));
  if (a === undefined || b === undefined) throw new Error("two objects");
  return compareObjects(a, b, { bug_entry: 16 }, lineNumbersOf([{ original, patched }]))
    .differences.map(({ kind, of, name }) => `${kind} ${of} ${name}`)
    .sort();
}

describe("a warning that hands on its entry of the bug table", () => {
  const warn = `extern void trap(void *);
#define WARN(text, from) do { void *bug; asm volatile("lea " from "(%%rip), %0\\n1:\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - .\\n.long %c1 - .\\n.long %c2 - .\\n.word %c3\\n.word 1\\n.popsection" : "=r"(bug) : "i"(text), "i"("file.c"), "i"(__LINE__)); trap(bug); } while (0)
`;
  const second = 'void second(int a) { if (a > 8) WARN("second", "2f"); if (a > 9) WARN("more", "2f"); }\n';
  const text = `${warn}void first(int a) { if (a > 7) WARN("first", "2f"); }\n${second}`;

  test("is the one about the same place, wherever in the table, on whichever line", () => {
    const above = text.replace("void first", '\n\nvoid added(int a) { if (a) WARN("added", "2f"); }\nvoid first');
    expect(differences(text, above)).toEqual(["added function added"]);
  });

  test("that says something else, or hands on another function's, is a change", () => {
    expect(differences(text, text.replace('"first", ', '"other", '))).toEqual(["changed function first"]);
    const before = `${warn}void first(int a) { if (a > 7) WARN("first", "2f"); }\n${second}`;
    const back = before.replace('WARN("second", "2f")', 'WARN("second", "__bug_table")');
    const own = differences(before, back);
    expect(own).toEqual(["changed function second"]);
  });
});

describe("what UBSAN's checks report by", () => {
  const flags = ["-fsanitize=bounds-strict", "-fsanitize=shift"];
  const text = "extern int table[4];\nint f(int a, int b) { return table[a] + (a << b); }\n";

  test("has a line and a column that nothing depends on, and a place among others", () => {
    const added = "int e(int a, int b) { return b >> a; }\n";
    const moved = text.replace("int f", `${added}\nint f`).replace("return table[a] +", "return   table[a]  +");
    expect(differences(text, moved, ...flags)).toEqual(["added function e", "added function e.cold"]);
  });

  test("about another type is a change", () => {
    const other = text.replace("int table[4]", "unsigned table[4]");
    expect(differences(text, other, ...flags)).toEqual(["changed function f"]);
  });
});

test("an entry is about the same instruction, however much fills up before that", () => {
  const text = (filler: string, about: string) => `
    .text
    .type f, @function
f:  xor %eax, %eax
    ${filler}
1:  ud2
2:  ud2
    ret
    .size f, . - f
    .section __bug_table, "aw"
    .long ${about} - ., 0, 0, 0
  `;
  const compared = (...texts: [string, string]) => {
    const [a, b] = texts.map((each) => readElf(fromAssembly(each), "input.s"));
    if (a === undefined || b === undefined) throw new Error("two objects");
    return compareObjects(a, b, { bug_entry: 16 }, lineNumbersOf([])).differences.map(({ reason }) => reason);
  };
  expect(compared(text("nop", "1b"), text(".byte 0x66, 0x90\nnop", "1b"))).toEqual([]);
  expect(compared(text("nop", "1b"), text(".byte 0x66, 0x90\nnop", "2b"))).toEqual([
    "an entry of __bug_table: it is about another place",
  ]);
});

test("what UBSAN reports by ends where the next begins, though nothing refers to that", () => {
  const check = (name: string, type: string) => `
    .balign 32
${name}: .quad .Lfile
    .long 7, 9
    .quad ${type}, ${type}
  `;
  const text = (more: string, name: string) =>
    `
    .text
    .type f, @function
f:  mov $check, %rdi
    ret
    .size f, . - f
    .section .rodata.str1.1, "aMS", @progbits, 1
.Lfile: .asciz "file.c"
    .data
${check("check", "type")}
    ${more}
type: .short 0, 11
    .asciz "'${name}'"
    ${more}
  `
      .replaceAll("check", ".Lcheck")
      .replaceAll("type:", ".Ltype:")
      .replaceAll("quad type, type", "quad .Ltype, .Ltype");
  const compared = (...texts: [string, string]) => {
    const [a, b] = texts.map((each) => readElf(fromAssembly(each), "input.s"));
    if (a === undefined || b === undefined) throw new Error("two objects");
    return compareObjects(a, b, {}, lineNumbersOf([])).differences.map(({ name }) => name);
  };
  const unused = check("", ".Ltype").replace(/^: /m, "");
  expect(compared(text("", "int"), text(unused, "int"))).toEqual([]);
  expect(compared(text(unused, "int"), text("", "int"))).toEqual([]);
  expect(compared(text("", "int"), text(unused, "long"))).toEqual(["f"]);
});

describe("a constant that the kernel fills in as it boots", () => {
  const held = (name: string) =>
    `({ long bound; asm("mov $0x1234567890, %0\\n1:\\n.pushsection runtime_ptr_${name},\\"a\\"\\n.long 1b - 8 - .\\n.popsection" : "=r"(bound)); bound; })`;
  const text = `int first(long a) { return a < ${held("one")}; }\nint second(long a) { return a > ${held("one")}; }\n`;

  test("goes with the function that it stands in, wherever that has it", () => {
    expect(differences(text, text.replace("return a <", "return a * a * 3 <"))).toEqual(["changed function first"]);
  });

  test("is another one by its name, and is missed where it is a plain number", () => {
    expect(differences(text, text.replace("runtime_ptr_one", "runtime_ptr_two"))).toEqual(["changed function first"]);
    const plain = text.replace(/return a > \(.*\)/, "return a > 0x1234567890");
    expect(differences(text, plain)).toEqual(["changed function second"]);
  });
});
