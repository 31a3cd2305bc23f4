import { expect, test } from "vitest";
import { directCalls, firstArguments } from "./call-scan.ts";

const BASE = 0x1000 - 2 ** 31;

/** nop; mov $A, %rdi; lea B(%rip), %rdi; call C; jmp D; call E */
function code(a: number, b: number, calls: readonly number[]): Buffer {
  const bytes = Buffer.alloc(1 + 7 + 7 + 5 * calls.length, 0x90);
  bytes.set([0x48, 0xc7, 0xc7], 1);
  bytes.writeInt32LE(a, 4);
  bytes.set([0x48, 0x8d, 0x3d], 8);
  bytes.writeInt32LE(b - (BASE + 15), 11);
  for (const [i, target] of calls.entries()) {
    const at = 15 + 5 * i;
    bytes[at] = i === 1 ? 0xe9 : 0xe8;
    bytes.writeInt32LE(target - (BASE + at + 5), at + 1);
  }
  return bytes;
}

test("calls and jumps to wanted places, forwards and backwards", () => {
  const [near, far, back] = [BASE + 0x40, BASE + 0x123456, BASE - 0x20];
  const bytes = code(0, 0, [near, far, back]);
  expect(directCalls(bytes, BASE, (target) => [near, far, back].includes(target))).toEqual([
    { at: 15, target: near },
    { at: 20, target: far },
    { at: 25, target: back },
  ]);
  expect(directCalls(bytes, BASE, (target) => target === far)).toHaveLength(1);
});

test("what is loaded for a first argument, the nearest first", () => {
  const [loaded, relative] = [BASE + 0x700, BASE + 0x900];
  expect(firstArguments(code(loaded, relative, [BASE]), BASE, 15)).toEqual([relative, loaded]);
  expect(firstArguments(code(loaded, relative, [BASE]), BASE, 8)).toEqual([loaded]);
});
