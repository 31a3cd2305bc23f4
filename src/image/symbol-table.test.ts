import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SutureError } from "../lib/error.ts";
import type { KernelSymbol } from "./kallsyms.ts";
import { encodeSymbolTable, openSymbolTable } from "./symbol-table.ts";

const symbols: KernelSymbol[] = [
  { name: "percpu", type: "A", address: 0n },
  { name: "_text", type: "T", address: 0xffffffff81000000n },
  { name: "_stext", type: "T", address: 0xffffffff81000000n },
  { name: "init", type: "t", address: 0xffffffff81000010n },
  { name: "init", type: "t", address: 0xffffffff81000020n },
  { name: "zz", type: "D", address: 0xffffffff82000000n },
];

/** Few names and small gaps, for equal names and equal addresses. */
const arbitrarySymbols: fc.Arbitrary<KernelSymbol[]> = fc
  .array(
    fc.record({
      name: fc.string({ unit: fc.constantFrom(..."ab.é"), maxLength: 3 }),
      type: fc.constantFrom(..."TtDA"),
      gap: fc.bigInt(0n, 3n),
    }),
  )
  .map((entries) => {
    let address = 0xffffffff81000000n;
    return entries.map(({ name, type, gap }) => {
      address += gap;
      return { name, type, address };
    });
  });

describe("a symbol table", () => {
  const table = openSymbolTable(encodeSymbolTable(symbols));

  test("counts equal names from 1, in kallsyms order", () => {
    expect(table.byName("init")).toEqual([
      { address: 0xffffffff81000010n, type: "t", position: 1, count: 2 },
      { address: 0xffffffff81000020n, type: "t", position: 2, count: 2 },
    ]);
    expect(table.byName("ini")).toEqual([]);
    expect(table.byName("")).toEqual([]);
  });

  test("gives all names at an address", () => {
    expect(table.at(0xffffffff81000000n).map(({ name }) => name)).toEqual(["_text", "_stext"]);
    expect(table.at(0xffffffff81000001n)).toEqual([]);
  });

  test("gives the first symbol that covers an address, and where the next one starts", () => {
    expect(table.covering(0xffffffff8100000fn)).toEqual({ symbol: symbols[1], next: 0xffffffff81000010n });
    expect(table.covering(0xffffffffffffffffn)).toEqual({ symbol: symbols[5], next: undefined });
    expect(openSymbolTable(encodeSymbolTable(symbols.slice(1))).covering(0n)).toBeUndefined();
  });

  test("answers as a search through the list does", () => {
    fc.assert(
      fc.property(arbitrarySymbols, (list) => {
        const opened = openSymbolTable(encodeSymbolTable(list));
        expect(opened.size).toBe(list.length);
        for (const name of new Set(["a", ...list.map((symbol) => symbol.name)])) {
          const same = list.filter((symbol) => symbol.name === name);
          expect(opened.byName(name)).toEqual(
            same.map(({ address, type }, i) => ({ address, type, position: i + 1, count: same.length })),
          );
        }
        for (const address of list.flatMap((symbol) => [symbol.address - 1n, symbol.address, symbol.address + 1n])) {
          expect(opened.at(address)).toEqual(list.filter((symbol) => symbol.address === address));
          const below = list.filter((symbol) => symbol.address <= address);
          const symbol = below.find((each) => each.address === below.at(-1)?.address);
          const next = list.find((each) => each.address > address)?.address;
          expect(opened.covering(address)).toEqual(symbol && { symbol, next });
        }
      }),
    );
  });

  test("takes symbols in order of addresses only", () => {
    expect(() => encodeSymbolTable([...symbols].reverse())).toThrow(RangeError);
  });

  test("that is cut off, longer, or something else is refused", () => {
    const data = encodeSymbolTable(symbols);
    for (const broken of [
      data.subarray(0, -1),
      Buffer.concat([data, Buffer.alloc(1)]),
      Buffer.alloc(100),
      Buffer.alloc(0),
    ]) {
      expect(() => openSymbolTable(broken)).toThrow(expect.objectContaining({ code: "SYMBOL_TABLE_CORRUPT" }));
    }
  });

  test("that was tampered with answers or is refused", () => {
    const data = encodeSymbolTable(symbols);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(data.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const broken = Buffer.from(data);
          for (const [at, value] of changes) broken[at] = value;
          try {
            const opened = openSymbolTable(broken);
            for (const { name, address } of symbols) {
              opened.byName(name);
              opened.at(address);
              opened.covering(address);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(SutureError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
