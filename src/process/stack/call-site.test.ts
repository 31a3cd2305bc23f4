import { expect, test } from "vitest";
import { callSite } from "./call-site.ts";

const START = 0x40_0000;

/** Memory that holds these bytes, each run at its offset. */
function memory(...runs: readonly (readonly [offset: number, hex: string])[]) {
  const bytes = Buffer.alloc(4096);
  for (const [offset, hex] of runs) bytes.write(hex, offset, "hex");
  return (address: number, size: number): Buffer | undefined => {
    const at = address - START;
    return at >= 0 && at + size <= bytes.length ? bytes.subarray(at, at + size) : undefined;
  };
}

const entries = new Set([START + 0x800]);

test("a call of one of the functions is found, itself or by a linkage table", () => {
  // At 0x100: call 0x800; at 0x200: call 0x300, which jumps to what lies at 0x400.
  const read = memory(
    [0x100, "e8fb060000"],
    [0x200, "e8fb000000"],
    [0x300, "f30f1efaf2ff25f5000000"],
    [0x400, "0008400000000000"],
  );
  expect(callSite(START + 0x105, entries, read)).toBe(START + 0x100);
  expect(callSite(START + 0x205, entries, read)).toBe(START + 0x200);
});

test("bytes that could be another instruction's are no call", () => {
  const read = memory([0x100, "e8fb050000"], [0x200, "ffd0"]);
  expect(callSite(START + 0x105, entries, read)).toBeUndefined();
  expect(callSite(START + 0x202, entries, read)).toBeUndefined();
  expect(callSite(START + 2, entries, read)).toBeUndefined();
});
