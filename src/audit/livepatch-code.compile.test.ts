import { expect, test } from "vitest";
import { fromAssembly } from "../elf/compiled.fixture.ts";
import { readElf } from "../elf/read.ts";
import { compareObjects } from "./compare.ts";
import { linesAsBuilt } from "./line-numbers.ts";
import { codeFindings, codeNames, type LivepatchCode } from "./livepatch-code.ts";

/** A function that goes up to `place`. */
const f = (place: string): string => `
  .text
  .type f, @function
f: cmp $${place}, %rdi
  ret
  .size f, . - f
`;
const TABLE = `
  .section .rodata, "a"
  .type first, @object
first: .quad 5
  .size first, 8
  .balign 32
  .type table, @object
table: .zero 28
  .size table, 28
  .balign 32
  .type next, @object
next: .quad 7
  .size next, 8
`;

/**
 * @param off key that is said to stay off
 * @param shift lines that the patched source has more above all else
 * @param running string that the running object has at each symbol
 */
function found(livepatch: string, patched: string, off?: string, shift = 0, running?: string): string[] {
  const [mine, unit] = [livepatch, patched].map((text) => readElf(fromAssembly(text), "object"));
  if (mine === undefined || unit === undefined) throw new Error("two objects");
  const above = "\n".repeat(shift);
  const lines = linesAsBuilt([{ original: "a\nb\nc\n", patched: `${above}a\nb\nc\n` }]);
  const comparison = compareObjects(unit, unit, {}, lines);
  const code: LivepatchCode = {
    file: mine,
    objects: new Set(["vmlinux"]),
    writes: () => false,
    running: (_name, offset, length) =>
      running === undefined ? undefined : Buffer.from(running.padEnd(99, "\0")).subarray(offset, offset + length),
    isOff: (source, key) => source === "unit.c" && key === off,
    own: new Set(),
  };
  return codeFindings(code, [{ source: "unit.c", comparison, lines }], {}).map(({ what }) => what);
}

test("what is beside a variable that runs is the place there, whatever lies there in the patched object", () => {
  const running = (offset: number): string => f(`".klp.sym.vmlinux.table,0" + ${offset}`);
  expect(found(running(28), f("table + 28") + TABLE)).toEqual([]);
  expect(found(running(-4), f("table - 4") + TABLE)).toEqual([]);
  expect(found(running(-8), f("table - 4") + TABLE)).toEqual([expect.stringContaining("is not the one of unit.c")]);
  expect(found(running(24), f("table + 28") + TABLE)).toEqual([expect.stringContaining("is not the one of unit.c")]);
});

test("the address of a new function is none, and a place in a piece of it is what it jumps to", () => {
  const text = (target: string): string => `
    .text
    .type f, @function
f:  call g
    mov $${target}, %rax
    ret
    .size f, . - f
    .type g, @function
g:  ret
    .size g, . - g
    .section .text.unlikely, "ax"
    .type g.cold, @function
g.cold: ret
    .size g.cold, . - g.cold
  `;
  expect(found(text("g.cold"), text("g.cold"))).toEqual([]);
  expect(found(text("g"), text("g"))).toEqual([expect.stringContaining("the address of the new g")]);
});

test("a constant that the livepatch brings is the patched source's, to the last byte", () => {
  const text = (last: number): string => `${f("brought")}
    .section .rodata, "a"
    .type brought, @object
brought: .quad 1, ${last}
    .size brought, 16
  `;
  expect(found(text(2), text(2))).toEqual([]);
  expect(found(text(2), text(3))).toEqual([
    "the livepatch's variable brought is not the one of unit.c: other bytes at +8",
  ]);
});

test("a branch of a tracepoint that stays off needs no entry, and any other one does", () => {
  const branch = (instruction: string, entry: string) => `
    .text
    .type f, @function
f:  ${instruction}
2:  ret
    .size f, . - f
    ${entry}
  `;
  const entry = (key: string) => `.section __jump_table, "aw"\n.long f - ., 2b - .\n.quad ${key} - .\n`;
  const [nop, jump] = [".byte 0x0f, 0x1f, 0x44, 0, 0", ".byte 0xe9\n.long 0"];
  const [tracepoint, other] = ["__tracepoint_x", "some_key"];
  expect(found(branch(nop, ""), branch(nop, entry(tracepoint)), tracepoint)).toEqual([]);
  const missing = [expect.stringContaining("1 entries of __jump_table instead of 0")];
  expect(found(branch(nop, ""), branch(nop, entry(tracepoint)))).toEqual(missing);
  expect(found(branch(nop, ""), branch(nop, entry(tracepoint)), "__tracepoint_y")).toEqual(missing);
  expect(found(branch(nop, ""), branch(nop, entry(other)), other)).toEqual(missing);
  expect(found(branch(jump, ""), branch(jump, entry(tracepoint)), tracepoint)).toEqual(missing);
});

test("a static call without an entry goes by its own trampoline", () => {
  const call = (trampoline: string, entry: string) => `
    .text
    .type f, @function
f:  call ${trampoline}
    ret
    .size f, . - f
    ${entry}
  `;
  const entry = '.section .static_call_sites, "aw"\n.long f - ., __SCK__x - .\n';
  expect(found(call("__SCT__x", ""), call("__SCT__x", entry))).toEqual([]);
  expect(found(call("__SCT__y", ""), call("__SCT__y", entry))).toEqual([
    expect.stringContaining("1 entries of .static_call_sites instead of 0"),
  ]);
});

test("a string that runs is the patched one's but for its line number", () => {
  const bound = f('".klp.sym.vmlinux.texts,0"');
  const patched = (text: string): string => `${f(".Ltext")}
  .section .rodata.str1.1, "aMS", @progbits, 1
.Ltext: .asciz "${text}"`;
  expect(found(bound, patched("at file.c:12"), undefined, 0, "at file.c:12")).toEqual([]);
  expect(found(bound, patched("at file.c:12"), undefined, 4, "at file.c:8")).toEqual([]);
  for (const other of ["at file.c:13", "in file.c:12"])
    expect(found(bound, patched(other), undefined, 4, "at file.c:8")).toEqual([
      expect.stringContaining("what runs at texts+0"),
    ]);
});

test("new code of a program has the function's name, with what the compiler has counted in it", () => {
  const file = readElf(
    fromAssembly(`
      .text
      .globl "prog:f.isra.0,0"
      .type "prog:f.isra.0,0", @function
"prog:f.isra.0,0": ret
      .size "prog:f.isra.0,0", . - "prog:f.isra.0,0"
    `),
    "object",
  );
  const none = { objects: new Set<string>(), writes: () => false, running: () => undefined, isOff: () => false };
  expect(codeNames({ file, ...none, own: new Set() })).toContain("f.isra.0");
});
