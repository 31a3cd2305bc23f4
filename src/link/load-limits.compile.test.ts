/** What a livepatch needs of the module loader, laid out as it would be loaded. */

import { expect, test } from "vitest";
import { x86_64 } from "../arch/x86_64/machine.ts";
import { Image } from "./image.ts";
import { linkUnit } from "./link-unit.fixture.ts";
import { loadLimits } from "./load-limits.ts";
import { placeUnits } from "./placed-unit.ts";

const SOURCE = "int f(int a) { return outside(a) * 3 + 1; }";

/** The codes for a function that uses a new variable. */
function codes(variable: string, reserve = 8192): string[] {
  const image = new Image(x86_64);
  placeUnits([linkUnit(SOURCE, `${variable}\n${SOURCE.replace("+ 1", "+ (int)(long)&lp")}`)], image, new Map());
  const { refusals, notes } = loadLimits(image, { perCpuReserve: reserve });
  return [...refusals, ...notes].map(({ code }) => code);
}

const perCpu = (size: number, section = ".data..percpu") =>
  `__attribute__((section("${section}"))) char lp[${size}] = {1};`;

test("what all modules have room for can be loaded", () => {
  expect(codes("static long lp = 1;")).toEqual([]);
  expect(codes("static char lp[1 << 20] __attribute__((aligned(4096)));")).toEqual([]);
});

test("per-CPU variables of all kinds together are at most what the kernel keeps for modules", () => {
  expect(codes(perCpu(8192))).toEqual(["PERCPU_SHARED"]);
  expect(codes(perCpu(8193))).toEqual(["PERCPU_TOO_LARGE"]);
  expect(codes(perCpu(4096), 2048)).toEqual(["PERCPU_TOO_LARGE"]);
  for (const kind of ["..read_mostly", "..shared_aligned", "..page_aligned"])
    expect(codes(perCpu(65536, `.data..percpu${kind}`))).toEqual(["PERCPU_TOO_LARGE"]);
});

test("a variable is at no larger boundary than a page's", () => {
  expect(codes("static long lp __attribute__((aligned(8192)));")).toEqual(["ALIGNMENT_TOO_LARGE"]);
});

test("all of it fits into the region that modules lie in", () => {
  expect(codes("static char lp[1100 << 20];")).toEqual(["MODULE_TOO_LARGE"]);
});

test("what the module loader does not know how to fill in is refused", () => {
  const bound = (operand: string) => {
    const image = new Image(x86_64);
    const assembly = `asm volatile("movq ${operand}, %%rax" ::: "rax"); return`;
    const patched = `long lp; ${SOURCE.replace("return", assembly)}`;
    for (const { pieces, placements, binder } of placeUnits([linkUnit(SOURCE, patched)], image, new Map()))
      for (const { atom, references } of pieces) {
        const { section, offset } = placements.get(atom) ?? {};
        if (section !== undefined && offset !== undefined) binder.bind(references, section, offset);
      }
    return loadLimits(image, { perCpuReserve: 8192 }).refusals.map(({ code }) => code);
  };
  expect(bound("lp(%%rip)")).toEqual([]);
  expect(bound("lp@GOTPCREL(%%rip)")).toEqual(["RELOCATION_NOT_LOADABLE"]);
});
