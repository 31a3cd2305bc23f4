import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { CodeRange } from "../../core/machine.ts";
import { nativeHook } from "../os/native.ts";
import { StubArea } from "./stub-area.ts";

const START = 0x5555_0000_0000;

function overlap(a: CodeRange, b: CodeRange): boolean {
  return a.start < b.end && b.start < a.end;
}

test("what is in use is never given out again, whatever is taken and proved free, also by a command that only has the record", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ count: fc.integer({ min: 1, max: 12 }), trampoline: fc.boolean(), fresh: fc.boolean() }), {
        maxLength: 200,
      }),
      (steps) => {
        let area = StubArea.fresh({ start: START, end: START + (1 << 14) });
        const trampolines: CodeRange[] = [];
        /** Since the last proof, stacks may refer to all that was given out; since then, to what was in use at it. */
        let unproved: CodeRange[] = [];
        let inUse: CodeRange[] = [];
        for (const { count, trampoline, fresh } of steps) {
          if (fresh) area = new StubArea(area.record);
          if (trampoline) {
            const size = 20 + count;
            const start = area.takeTrampoline(size);
            if (start === undefined) continue;
            const range = { start, end: start + size };
            expect([...unproved, ...trampolines].some((other) => overlap(range, other))).toBe(false);
            expect(range.end).toBeLessThanOrEqual(area.trapHandler);
            trampolines.push(range);
            continue;
          }
          let start = area.takeStubs(count);
          if (start === undefined) {
            area.reuse(inUse);
            unproved = [...inUse];
            start = area.takeStubs(count);
          }
          if (start === undefined) continue;
          const range = { start, end: start + count * nativeHook().stubSize };
          expect((start - START) % nativeHook().stubSize).toBe(0);
          expect([...unproved, ...trampolines].some((other) => overlap(range, other))).toBe(false);
          unproved.push(range);
          inUse = [range];
        }
      },
    ),
    { numRuns: 300 },
  );
});
