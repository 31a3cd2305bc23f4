/** Sections in which the compiler keeps several functions: each is one for itself. */
import { expect, test } from "vitest";
import { compared, only } from "./compiled.fixture.ts";

/** Far apart, so that the assembler writes whole jumps and calls between them. */
const FAR = `asm volatile(".skip 200, 0x90");`;
const SCHED = `
#define __sched noinline __section(".sched.text")
__sched static int inner(int a) { ${FAR} return outside(a) + 1; }
__sched int first(int a) { ${FAR} return inner(a) * 3; }
__sched int second(int a) { ${FAR} return inner(a) - 3; }
__sched int third(int a) { ${FAR} return second(a); }
`;

test("a changed function of such a section is the one that is patched", () => {
  for (const [name, from, to] of [
    ["inner", "+ 1", "+ 2"],
    ["first", "* 3", "* 5"],
    ["second", "- 3", "- 5"],
  ] as const)
    expect(compared(SCHED, SCHED.replace(from, to))).toMatchObject(only({ funcs: [name], pieces: [name] }));
});

test("calls and jumps that the assembler resolved lead to the running functions", () => {
  const { targets } = compared(SCHED, SCHED.replace("return second(a)", "outside(a); return second(a)"));
  expect(targets("third")).toEqual(["external outside", "original second"]);
});

test("a new function among those of such a section is no change of the others", () => {
  const patched = SCHED.replace(
    "__sched int first",
    `__sched int added(int a) { ${FAR} return a; }\n__sched int first`,
  );
  expect(compared(SCHED, patched)).toMatchObject(only({}));
});
