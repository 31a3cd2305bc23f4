import { closeSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { libc } from "../../os/libc.ts";
import { ProcessMemory } from "../../os/memory.ts";
import { MemoryWords } from "./memory-words.ts";
import { PresentPages } from "./present-pages.ts";

const PAGE = 4096;

/** Whole pages of this program, and their address. */
function pages(count: number): { readonly bytes: Buffer; readonly start: number } {
  const room = Buffer.from(new ArrayBuffer((count + 1) * PAGE));
  const address = Number(libc().addressOf(room));
  const skipped = (PAGE - (address % PAGE)) % PAGE;
  return { bytes: room.subarray(skipped, skipped + count * PAGE), start: address + skipped };
}

function search(start: number, end: number, wanted: readonly { start: number; end: number }[]) {
  using memory = new ProcessMemory(process.pid);
  using words = new MemoryWords("/proc/self", (at, into, size) => memory.readInto(at, into, size));
  const code: [number, number][] = [];
  const selves: [number, boolean][] = [];
  words.search({ start, end }, wanted, {
    code: (at, value) => code.push([at, value]),
    self: (at, isTwice) => selves.push([at, isTwice]),
  });
  return { code, selves };
}

test("words in the ranges are found where they lie, on every page, and no others", () => {
  const { bytes, start } = pages(300);
  const ranges = [
    { start: 0x5555_5555_1000, end: 0x5555_5555_2000 },
    { start: 0x7fff_f7a0_0000, end: 0x7fff_f7a0_0010 },
    { start: 0x4000_0000, end: 0x4000_1000 },
  ];
  const inside = [0x5555_5555_1000, 0x5555_5555_1fff, 0x7fff_f7a0_000f, 0x4000_0800];
  const outside = [0x5555_5555_0fff, 0x5555_5555_2000, 0x7fff_f7a0_0010, 0x3fff_ffff, 0x7fff_0000_0000];
  const expected: [number, number][] = [];
  [...inside, ...outside].forEach((value, index) => {
    const at = index * 33 * PAGE + 8 * index;
    bytes.writeBigUInt64LE(BigInt(value), at);
    if (inside.includes(value)) expected.push([start + at, value]);
  });
  const last = bytes.length - 8;
  bytes.writeBigUInt64LE(BigInt(inside[0] as number), last);
  expected.push([start + last, inside[0] as number]);
  const sorted = ranges.toSorted((a, b) => a.start - b.start);
  expect(search(start, start + bytes.length, sorted).code).toEqual(expected);
});

test("a word that is its own address is told, and whether it lies there twice", () => {
  const { bytes, start } = pages(2);
  bytes.writeBigUInt64LE(BigInt(start + 64), 64);
  bytes.writeBigUInt64LE(BigInt(start + PAGE), PAGE);
  bytes.writeBigUInt64LE(BigInt(start + PAGE), PAGE + 16);
  expect(search(start, start + bytes.length, []).selves).toEqual([
    [start + 64, false],
    [start + PAGE, true],
  ]);
});

test("memory that is not there is passed over", () => {
  expect(search(PAGE, 3 * PAGE, [{ start: 0, end: 2 ** 47 }])).toEqual({ code: [], selves: [] });
});

/** As sanitizers reserve it: far more than there is. */
function reserved(size: number) {
  const [mmap, munmap] = [9, 11];
  const { syscall } = libc();
  const start = Number(syscall(mmap, 0, size, 3, 0x4022, 0xffff_ffff_ffff_ffffn, 0));
  return { start, [Symbol.dispose]: () => void syscall(munmap, start, size, 0, 0, 0, 0) };
}

test("memory of which little is used is not gone through page by page, where the kernel tells", (context) => {
  const size = 2 ** 44;
  using room = reserved(size);
  const pagemap = openSync("/proc/self/pagemap", "r");
  const isTold = new PresentPages(pagemap).next({ start: room.start, end: room.start + PAGE }) !== undefined;
  closeSync(pagemap);
  if (!isTold) return context.skip();
  const [middle, address] = [room.start + size / 2, 0x5555_5555_1008];
  const word = Buffer.alloc(8);
  word.writeBigUInt64LE(BigInt(address));
  using memory = new ProcessMemory(process.pid);
  memory.write(middle, word);
  const wanted = [{ start: address - 8, end: address + 8 }];
  expect(search(room.start, room.start + size, wanted).code).toEqual([[middle, address]]);
});
