import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RODATA_ADDRESS, rodataWith, type TableOptions, vmlinuxWith } from "../../test/fixtures/kallsyms-tables.ts";
import { SutureError } from "../lib/error.ts";
import { type KernelSymbol, readKallsyms } from "./kallsyms.ts";

const PLAIN: TableOptions = {
  form: "6.4",
  endian: "little",
  percpu: true,
  relative: true,
  seqs: true,
  around: Buffer.alloc(0),
};

/** The text starts 16 MiB before .rodata, as on x86-64. */
const TEXT = RODATA_ADDRESS - 0x1000000n;

function someSymbols(count: number): KernelSymbol[] {
  return Array.from({ length: count }, (_, i) =>
    i < 20
      ? { name: `percpu_${i}`, type: "A", address: BigInt(i * 64) }
      : { name: `sys_call_${i % 7}_table`, type: i % 3 === 0 ? "T" : "t", address: TEXT + BigInt((i - 20) * 16) },
  );
}

/** 257 symbols are the fewest with two markers. */
const arbitrarySymbols: fc.Arbitrary<KernelSymbol[]> = fc
  .array(
    fc.record({
      name: fc.string({ unit: fc.constantFrom(..."abcdef_.0123456789$"), minLength: 1, maxLength: 12 }),
      type: fc.constantFrom(..."TtDdBbRrWwVvA"),
      gap: fc.nat(300),
    }),
    { minLength: 257, maxLength: 700 },
  )
  .map((entries) => {
    const absolute = entries.filter(({ type }) => type === "A");
    const relative = entries.filter(({ type }) => type !== "A");
    let address = 0n;
    const symbols: KernelSymbol[] = [];
    for (const { name, type, gap } of [...absolute, ...relative]) {
      if (type !== "A" && address < TEXT) address = TEXT;
      address += BigInt(gap);
      symbols.push({ name, type, address });
    }
    return symbols;
  });

const arbitraryOptions: fc.Arbitrary<TableOptions> = fc.record({
  form: fc.constantFrom("2.6" as const, "6.4" as const, "7.0" as const),
  endian: fc.constantFrom("little" as const, "big" as const),
  percpu: fc.constant(true),
  relative: fc.boolean(),
  seqs: fc.boolean(),
  around: fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
});

describe("the kernel's own symbol table", () => {
  test("is read back in all layouts and both byte orders, whatever lies around it", () => {
    fc.assert(
      fc.property(arbitrarySymbols, arbitraryOptions, (all, options) => {
        const symbols = options.form === "7.0" ? all.filter(({ type }) => type !== "A") : all;
        fc.pre(symbols.length > 256);
        const read = readKallsyms(vmlinuxWith(rodataWith(symbols, options), options.endian));
        expect(read).toEqual(symbols);
      }),
      { numRuns: 60 },
    );
  });

  test("holds names that take two bytes for their length", () => {
    const symbols = someSymbols(300);
    symbols[120] = { ...(symbols[120] as KernelSymbol), name: "x".repeat(127) };
    symbols[121] = { ...(symbols[121] as KernelSymbol), name: "q".repeat(511) };
    expect(readKallsyms(vmlinuxWith(rodataWith(symbols, PLAIN), "little"))).toEqual(symbols);
  });

  test("without absolute per-CPU symbols has offsets that count up from its base", () => {
    const symbols = someSymbols(400).slice(20);
    const rodata = rodataWith(symbols, { ...PLAIN, percpu: false });
    expect(readKallsyms(vmlinuxWith(rodata, "little"))).toEqual(symbols);
  });

  test("since 7.0 has offsets that count from where they lie, at multiples of 4", () => {
    const symbols = someSymbols(400).slice(20);
    for (const around of [0, 4, 8, 12]) {
      const rodata = rodataWith(symbols, { ...PLAIN, form: "7.0", around: Buffer.alloc(around, 0xff) });
      expect(readKallsyms(vmlinuxWith(rodata, "little"))).toEqual(symbols);
    }
  });

  test("is not taken for another table that is like that of its tokens, and lies before it", () => {
    const index = Buffer.alloc(512);
    for (let i = 0; i < 256; i++) index.writeUInt16LE(2 * i, 2 * i);
    const around = Buffer.concat([Buffer.from("a\0".repeat(256)), index]);
    const symbols = someSymbols(400);
    for (const form of ["2.6", "6.4"] as const) {
      const rodata = rodataWith(symbols, { ...PLAIN, form, around });
      expect(readKallsyms(vmlinuxWith(rodata, "little"))).toEqual(symbols);
    }
  });

  test("that has .rodata start where it does not was read in another way than it is meant", () => {
    const start = (address: bigint): KernelSymbol[] => [
      ...someSymbols(400),
      { name: "__start_rodata", type: "D", address },
    ];
    const read = (address: bigint) => readKallsyms(vmlinuxWith(rodataWith(start(address), PLAIN), "little"));
    expect(read(RODATA_ADDRESS)).toEqual(start(RODATA_ADDRESS));
    expect(() => read(RODATA_ADDRESS + 8n)).toThrow(
      expect.objectContaining({ code: "KALLSYMS_NOT_FOUND", message: expect.stringContaining("__start_rodata") }),
    );
  });

  test("keeps equal names in their order", () => {
    const symbols = someSymbols(600);
    const read = readKallsyms(vmlinuxWith(rodataWith(symbols, { ...PLAIN, form: "2.6" as const }), "little"));
    const wanted = symbols.filter(({ name }) => name === "sys_call_3_table").map(({ address }) => address);
    expect(read.filter(({ name }) => name === "sys_call_3_table").map(({ address }) => address)).toEqual(wanted);
  });

  test.each([
    ["no section .rodata", Buffer.alloc(0), "there is no section .rodata"],
    ["zeros", Buffer.alloc(1 << 20), "there is no token table"],
    ["token tables alone", tokensAlone(), "no names and markers agree"],
    ["no sorted addresses", unsorted(), "no sorted table of addresses"],
  ])("is not found in %s", (what, rodata, message) => {
    const vmlinux = vmlinuxWith(rodata, "little");
    const sections = what === "no section .rodata" ? [] : vmlinux.sections;
    expect(() => readKallsyms({ ...vmlinux, sections })).toThrow(
      expect.objectContaining({ code: "KALLSYMS_NOT_FOUND", message: expect.stringContaining(message) }),
    );
  });

  test("that was tampered with is refused or read, in bounded time", () => {
    const rodata = rodataWith(someSymbols(520), PLAIN);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(rodata.length - 1), fc.nat(255)), { minLength: 1 }), (changes) => {
        const broken = Buffer.from(rodata);
        for (const [at, value] of changes) broken[at] = value;
        try {
          for (const { type, name } of readKallsyms(vmlinuxWith(broken, "little"))) {
            expect(type.length).toBeLessThanOrEqual(1);
            expect(typeof name).toBe("string");
          }
        } catch (error) {
          expect(error).toBeInstanceOf(SutureError);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("made to be searched for long is given up, not searched to its end", () => {
    // At every other multiple of 8 a table of 4 million names could start, each 15 bytes long.
    const hostile = Buffer.alloc(8 << 20, Buffer.from([0, 0, 0x40, 0, 0, 0, 0, 0, 15, 1, 1, 1, 1, 1, 1, 1]));
    const rodata = Buffer.concat([hostile, tokensAlone()]);
    expect(() => readKallsyms(vmlinuxWith(rodata, "little"))).toThrow("no names and markers agree");
  });
});

function tokensAlone(): Buffer {
  const rodata = rodataWith(someSymbols(300), PLAIN);
  const at = rodata.indexOf(Buffer.from("tmm_\0Tsys_\0"));
  expect(at).toBeGreaterThan(0);
  const start = rodata.lastIndexOf(Buffer.alloc(8), at);
  const copy = Buffer.from(rodata);
  copy.fill(0, 0, 8);
  return copy.subarray(0, start + 4096);
}

function unsorted(): Buffer {
  return rodataWith([...someSymbols(300), { name: "low", type: "T", address: TEXT }], PLAIN);
}
