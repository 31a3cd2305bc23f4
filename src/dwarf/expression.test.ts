import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LITTLE } from "../elf/words.ts";
import { SutureError } from "../lib/error.ts";
import { evaluate, type Machine } from "./expression.ts";

const MACHINE: Machine = {
  words: LITTLE,
  register: (number) => (number <= 16 ? BigInt(number) * 0x100n : undefined),
  memory: (address, size) => (address < 0x1_0000n ? BigInt.asUintN(8 * size, address * 0x1111n) : undefined),
};

const run = (hex: string, initial: readonly bigint[] = []): bigint | undefined =>
  evaluate(Buffer.from(hex.replaceAll(" ", ""), "hex"), MACHINE, initial);

const ALL_ONES = 2n ** 64n - 1n;

test.each([
  ["the entry of a linkage table, before its push", "77 08 80 00 3f 1a 3a 2a 33 24 22", 0x708n],
  ["a literal", "35", 5n],
  ["constants", "08ff 09ff 22", 0xfen],
  ["constants of 2 bytes", "0affff 0bffff 22", 0xfffen],
  ["constants of 4 bytes", "0cffffffff 0dffffffff 22", 0xfffffffen],
  ["constants of 8 bytes", "0e0100000000000000 0fffffffffffffffff 22", 0n],
  ["constants of any length", "10e58e26 117f 22", 624484n],
  ["an address", "031122000000000000", 0x2211n],
  ["dup, swap and drop", "31 32 12 16 13 16 13", 2n],
  ["over, pick and rot", "31 32 33 14 1502 22 22 17 13 13", 7n],
  ["wrapping", "30 31 1c", ALL_ONES],
  ["and, or, xor, not", "3c 3a 1a 31 21 33 27 20", ALL_ONES - 10n],
  ["multiplication, division, modulo", "37 36 1e 34 1b 33 1d", 1n],
  ["signed division", "3a 1f 33 1b", ALL_ONES - 2n],
  ["absolute values and negation", "35 1f 19", 5n],
  ["shifts", "31 33 24 31 25 31 1f 3a 26 1a", 4n],
  ["shifts by too much", "31 0840 24 31 0840 25 22", 0n],
  ["comparisons are signed", "31 1f 30 2d 30 31 1f 2b 1a", 1n],
  ["equality", "33 33 29 33 34 2e 1a 33 33 2c 1a 33 33 2a 1a", 1n],
  ["plus a constant", "31 238101", 130n],
  ["registers", "7708", 0x708n],
  ["registers by number", "92 10 7c", 0xffcn],
  ["memory", "7000 06", 0n],
  ["memory of some size", "7100 9401", 0n],
  ["a branch that is taken", "31 28 0100 35 36", 6n],
  ["a branch that is not taken", "30 28 0100 35 36 22", 11n],
  ["a skip", "2f 0100 35 36", 6n],
])("an expression with %s", (_, hex, value) => {
  expect(run(hex)).toBe(value);
});

test("the stack starts as the caller says", () => {
  expect(run("38 1c", [100n])).toBe(92n);
});

test("what cannot be had makes the value unknown", () => {
  expect(run("92 20 00")).toBeUndefined();
  expect(run("0cffffffff 06")).toBeUndefined();
});

test.each([
  ["an empty stack", "22"],
  ["no value at all", ""],
  ["a division by zero", "31 30 1b"],
  ["a branch out of it", "2f ff7f"],
  ["a loop without an end", "2f fdff"],
  ["a stack without bounds", "31 2f fcff"],
  ["a constant that is cut off", "0c ff"],
  ["a load of three bytes", "30 9403"],
])("an expression with %s is refused", (_, hex) => {
  expect(() => run(hex)).toThrowError(expect.objectContaining({ code: "DWARF_CORRUPT" }));
});

test("an operation that has no meaning for frames is refused", () => {
  expect(() => run("9c", [1n, 2n])).toThrowError(expect.objectContaining({ code: "DWARF_UNSUPPORTED" }));
});

test("any bytes at all give a value, none, or a SutureError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        const value = evaluate(Buffer.from(bytes), MACHINE, [1n, 2n]);
        if (value !== undefined) expect(value).toBe(BigInt.asUintN(64, value));
      } catch (error) {
        if (!(error instanceof SutureError)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
});
