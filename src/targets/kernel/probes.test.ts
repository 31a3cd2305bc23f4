import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import "../../../test/seed.ts";
import { MadeUpKernel } from "../../../test/made-up-kernel.ts";
import { kallsymsOf } from "../../../test/made-up-memory.ts";
import { Kallsyms } from "./kallsyms.ts";
import { readKprobes, readTracedFunctions } from "./probes.ts";

let kernel: MadeUpKernel;
beforeAll(() => {
  kernel = new MadeUpKernel();
});
afterAll(() => kernel[Symbol.dispose]());

const LIST = "sys/kernel/debug/kprobes/list";
const FUNCTIONS = "sys/kernel/tracing/enabled_functions";

test("probes are read as the kernel prints them", async () => {
  kernel.write({
    [LIST]:
      "ffffffff9a001000  k  vfs_read+0x0    [FTRACE]\n" +
      "ffffffffc0341010  r  dummy_setup+0x10  dummy [DISABLED][OPTIMIZED]\n" +
      "0000000000000000  k  hidden+0x1    \n",
  });
  expect(await readKprobes(kernel.root)).toEqual([
    {
      ...{ address: 0xffff_ffff_9a00_1000n, symbol: "vfs_read", offset: 0, object: "vmlinux" },
      ...{ isByFtrace: true, isOptimized: false, isDisabled: false },
    },
    {
      ...{ address: 0xffff_ffff_c034_1010n, symbol: "dummy_setup", offset: 16, object: "dummy" },
      ...{ isByFtrace: false, isOptimized: true, isDisabled: true },
    },
    {
      ...{ address: 0n, symbol: "hidden", offset: 1, object: "vmlinux" },
      ...{ isByFtrace: false, isOptimized: false, isDisabled: false },
    },
  ]);
});

test("traced functions are read as kernels before and after 6.4 print them", async () => {
  kernel.write({
    [FUNCTIONS]:
      "vfs_read (1)           \ttramp: 0xffffffffc0000000 (klp_ftrace_handler+0x0/0x1) ->I+0x1\n" +
      "version_proc_show (2) R I     \ttramp: ERROR!\n" +
      "dummy_setup [dummy] (1) R   D   M \n\tdirect-->bpf_trampoline_6442+0x0/0x1\n",
  });
  const flags = (isRedirected: boolean, isDirect: boolean) => ({ isRedirected, isDirect });
  expect(await readTracedFunctions(kernel.root)).toEqual([
    { name: "vfs_read", object: "vmlinux", count: 1, ...flags(false, false) },
    { name: "version_proc_show", object: "vmlinux", count: 2, ...flags(true, false) },
    { name: "dummy_setup", object: "dummy", count: 1, ...flags(false, true) },
  ]);
});

test("whatever these files hold, they are read without an error", async () => {
  const line = fc.oneof(
    fc.string({ unit: "binary", maxLength: 80 }),
    fc
      .array(fc.constantFrom("f", " ", "\t", "+0x", "(1)", "[", "]", "k", " R I", "->", "[FTRACE]"))
      .map((parts) => parts.join("")),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 5 }), async (lines) => {
      const text = lines.join("\n");
      kernel.write({ [LIST]: text, [FUNCTIONS]: text, "proc/kallsyms": `ffffffff81000000 T _text\n${text}` });
      for (const each of (await readKprobes(kernel.root)) ?? []) expect(each.offset).toBeGreaterThanOrEqual(0);
      for (const each of (await readTracedFunctions(kernel.root)) ?? []) expect(each.name).not.toBe("");
      const kallsyms = await Kallsyms.read(kernel.root);
      expect(kallsyms?.covering((1n << 64n) - 1n)).toBeDefined();
    }),
    { numRuns: 50 },
  );
});

test("symbols are found by name in their order, and by what lies before an address", async () => {
  const symbol = fc.tuple(
    fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }),
    fc.constantFrom("read", "write", "dummy_init", "a.b$1"),
    fc.constantFrom(undefined, "dummy", "bpf"),
  );
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(symbol, { maxLength: 12, selector: ([address]) => address }), async (symbols) => {
      kernel.write({ "proc/kallsyms": kallsymsOf([[1n, "_text"], ...symbols]) });
      const kallsyms = await Kallsyms.read(kernel.root);
      const of = ([address, name, module]: (typeof symbols)[number]) => ({
        address,
        name,
        object: module ?? "vmlinux",
      });
      for (const name of ["read", "a.b$1", "absent"])
        expect(kallsyms?.named(new Set([name]))).toEqual(symbols.filter((each) => each[1] === name).map(of));
      const sorted = symbols.toSorted(([a], [b]) => (a < b ? -1 : 1));
      for (const [i, each] of sorted.entries()) {
        if (each[0] > 1n) expect(kallsyms?.covering(each[0])).toEqual(of(each));
        const next = sorted[i + 1]?.[0] ?? 1n << 64n;
        if (each[0] > 1n) expect(kallsyms?.covering(next - 1n)).toEqual(of(each));
      }
    }),
    { numRuns: 50 },
  );
});
