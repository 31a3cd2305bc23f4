import { expect, test } from "vitest";
import { LITTLE } from "../elf/words.ts";
import { Cursor } from "./cursor.ts";
import { PE, readLength, readPointer } from "./pointer.ts";

const ADDRESS = 0x40_0000;

/** The pointer that these bytes, at offset 4 of a section, are in this encoding. */
function read(encoding: number, hex: string, bases = {}): ReturnType<typeof readPointer> {
  const data = Buffer.concat([Buffer.alloc(4), Buffer.from(hex, "hex")]);
  const cursor = new Cursor({ name: "input", data, words: LITTLE, address: ADDRESS }, 4, data.length);
  const pointer = readPointer(cursor, encoding, bases);
  expect(cursor.done).toBe(true);
  return pointer;
}

test.each([
  ["absolute", PE.ABSPTR, "1122334455660000", 0x665544332211],
  ["unsigned, of 2 bytes", PE.UDATA2, "feff", 0xfffe],
  ["unsigned, of 4 bytes", PE.UDATA4, "feffffff", 0xfffffffe],
  ["unsigned, of 8 bytes", PE.UDATA8, "0100000000000000", 1],
  ["unsigned, of any length", PE.ULEB128, "e58e26", 624485],
  ["signed, of any length, relative to itself", PE.SLEB128 | PE.PCREL, "7e", ADDRESS + 4 - 2],
  ["signed, of 2 bytes, relative to itself", PE.SDATA2 | PE.PCREL, "feff", ADDRESS + 4 - 2],
  ["signed, of 4 bytes, relative to itself", PE.SDATA4 | PE.PCREL, "f0ffffff", ADDRESS + 4 - 16],
  ["signed, of 8 bytes, relative to itself", PE.SDATA8 | PE.PCREL, "f0ffffffffffffff", ADDRESS + 4 - 16],
  ["unsigned, of 8 bytes, and wrapping around", PE.UDATA8 | PE.PCREL, "f0ffffffffffffff", ADDRESS + 4 - 16],
  ["relative to the data", PE.SDATA4 | PE.DATAREL, "10000000", 0x7010],
  ["relative to the text", PE.UDATA4 | PE.TEXTREL, "10000000", 0x8010],
  ["relative to the function", PE.UDATA4 | PE.FUNCREL, "10000000", 0x9010],
  ["aligned", PE.ALIGNED, "000000001122000000000000", 0x2211],
])("a pointer that is %s", (_, encoding, hex, address) => {
  const bases = { data: 0x7000, text: 0x8000, function: 0x9000 };
  expect(read(encoding, hex, bases)).toEqual({ address, indirect: false });
});

test("a null pointer is none, whatever it is relative to", () => {
  expect(read(PE.SDATA4 | PE.PCREL, "00000000")).toBeUndefined();
});

test("an omitted pointer takes no bytes", () => {
  expect(read(PE.OMIT, "")).toBeUndefined();
});

test("the address of a pointer is marked as such", () => {
  expect(read(PE.SDATA4 | PE.PCREL | PE.INDIRECT, "04000000")).toEqual({ address: ADDRESS + 8, indirect: true });
});

test.each([
  ["a format that does not exist", 0x07, "00000000", "DWARF_UNSUPPORTED"],
  ["an unknown base", PE.UDATA4 | PE.DATAREL, "01000000", "DWARF_UNSUPPORTED"],
  ["bytes that are missing", PE.UDATA8, "01000000", "DWARF_CORRUPT"],
  ["a number of more than 64 bits", PE.ULEB128, "8080808080808080808080808001", "DWARF_CORRUPT"],
  ["an address that is not exact as a number", PE.ABSPTR, "ffffffffffffffff", "DWARF_CORRUPT"],
  ["an address below zero", PE.SDATA4, "ffffffff", "DWARF_CORRUPT"],
])("a pointer with %s is refused", (_, encoding, hex, code) => {
  expect(() => read(encoding, hex)).toThrowError(expect.objectContaining({ code }));
});

test("a length is neither relative nor signed in effect", () => {
  const data = Buffer.from("10000000", "hex");
  const cursor = new Cursor({ name: "input", data, words: LITTLE, address: ADDRESS }, 0, 4);
  expect(readLength(cursor, PE.SDATA4 | PE.PCREL)).toBe(16);
});
