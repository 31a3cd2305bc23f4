/** What objects of kernels since 6.19 have that those before do not. */
import { describe, expect, test } from "vitest";
import { SutureError } from "../lib/error.ts";
import { compared, compiledElf, only } from "./compiled.fixture.ts";
import { objectDiff } from "./object-diff.ts";

/** As the kernel's asm/bug.h: the entry is handed on, and has the text before its file and line. */
const WARN = `
#define WARN(text) do { void *bug; \\
  asm volatile("lea 2f(%%rip), %0\\n1:\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - .\\n" \\
    ".long %c1 - .\\n.long %c2 - .\\n.word %c3\\n.word 1\\n.popsection" \\
    : "=r" (bug) : "i" (text), "i" ("file.c"), "i" (__LINE__)); \\
  warn_trap(bug); } while (0)
extern void warn_trap(void *);
#line 1
`;

const SIZES = { bug_entry: 16, "bug_entry.line": 12 };

function warned(original: string, patched: string, sizes = SIZES) {
  const [before, after] = [original, patched].map((text) => compiledElf(WARN + text));
  if (before === undefined || after === undefined) throw new Error("nothing was compiled");
  const { selection, refusals } = objectDiff(before, after, sizes, { isModule: false, needsHook: true });
  return { selection, refusals, funcs: selection.funcs.map(({ name }) => name) };
}

describe("a warning that hands its entry on", () => {
  const source = `
int first(int a) { if (a > 7) WARN("first"); return outside(a); }
int second(int a) { if (a > 8) WARN("second"); if (a > 9) WARN("more"); return outside(a) + 1; }
`;

  test("is the one about the same place, wherever the table has it, and its line is no difference", () => {
    const { funcs, selection } = warned(source, `\n\n${source.replace("+ 1", "+ 2")}`);
    expect(funcs).toEqual(["second"]);
    const [piece] = selection.pieces;
    expect(piece?.entries.filter(({ entry }) => entry.table.name === "__bug_table")).toHaveLength(2);
    const handed = piece?.references.flatMap(({ destination }) => (destination.kind === "entry" ? [destination] : []));
    expect(handed?.map(({ entry, offset }) => [entry.owner.name, entry.index, offset])).toEqual([
      ["second", 0, 0],
      ["second", 1, 0],
    ]);
  });

  test("that says something else is a change", () => {
    expect(warned(source, source.replace('"first"', '"other"')).funcs).toEqual(["first"]);
  });

  test("has its line where the kernel's types have it", () => {
    const moved = `\n\n${source}`;
    expect(warned(source, moved).funcs).toEqual([]);
    expect(warned(source, moved, { bug_entry: 16, "bug_entry.line": 14 }).funcs).toEqual(["first", "second"]);
  });
});

test("a reference into a table that is no entry about code is an error with a name", () => {
  const about = (place: string) =>
    `asm(".pushsection __bug_table, \\"aw\\"; entry: .long ${place} - ., 0, 0; .popsection; .pushsection .discard.x, \\"ax\\"; gone: nop; .popsection");
     extern int entry; int first(void) { return entry; }`;
  const file = compiledElf(about("gone"));
  let thrown: unknown;
  try {
    objectDiff(file, file, { bug_entry: 12 }, { isModule: false, needsHook: true });
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(SutureError);
  expect(thrown).toMatchObject({ code: "FORM_NOT_KNOWN", message: expect.stringContaining("__bug_table+0x0") });
});

describe("what UBSAN's checks report by", () => {
  const gcc = ["-fsanitize=bounds-strict", "-fsanitize=shift", "-Wno-array-bounds"];
  const source = `
extern int table[4];
int first(int a) { return table[a] + outside(a); }
int second(int a, int b) { return (a << b) + table[a] + outside(a); }
`;

  test("is told by what it holds, not by its number, and its line and column are no difference", () => {
    const added = "\n\nextern long longs[6]; int before(int a, int b) { return other(a >> b) + longs[a]; }\n";
    const result = compared(source, added + source.replace("return table[a] +", "return  table[a]  +"), { gcc });
    expect(result).toMatchObject(only({ refusals: [], funcs: [], pieces: [] }));
  });

  test("travels with the function that is changed", () => {
    const { funcs, refusals, diff } = compared(source, source.replace("+ table[a] +", "+ table[a] + 1 +"), { gcc });
    expect({ funcs, refusals }).toEqual({ funcs: ["second"], refusals: [] });
    const brought = diff.selection.pieces.map(({ atom }) => atom.section.name).filter((name) => /Lubsan/.test(name));
    expect(brought.filter((name) => name.includes("Lubsan_data")).length).toBe(2);
    expect(brought.filter((name) => name.includes("Lubsan_type")).length).toBeGreaterThan(0);
    const to = diff.selection.pieces.flatMap(({ references }) =>
      references.flatMap(({ destination }) =>
        "atom" in destination && /Lubsan_data/.test(destination.atom.name) ? [destination.kind] : [],
      ),
    );
    expect(to).toEqual(["piece", "piece"]);
  });

  test("that is about another type is a change", () => {
    const wide = source.replace("int table[4]", "unsigned table[4]");
    expect(compared(source, wide, { gcc })).toMatchObject({ funcs: ["first", "second"], refusals: [] });
  });
});

test("a constant that the kernel fills in as it boots cannot be held by a changed function, and does not hinder others", () => {
  const held = `({ long bound; asm("mov $0x1234567890, %0\\n1:\\n.pushsection runtime_ptr_BOUND,\\"a\\"\\n.long 1b - 8 - .\\n.popsection" : "=r"(bound)); bound; })`;
  const source = `
int first(long a) { return outside(a < ${held}); }
int second(int a) { return outside(a) + 1; }
`;
  expect(compared(source, source.replace("+ 1", "+ 2"))).toMatchObject({ funcs: ["second"], refusals: [] });
  expect(compared(source, source.replace("a < ", "a <= ")).refusals).toEqual(["RUNTIME_CONSTANT"]);
  const added = source.replace("+ 1;", `+ (a < ${held});`);
  expect(compared(source, added).refusals).toEqual(["RUNTIME_CONSTANT"]);
});
