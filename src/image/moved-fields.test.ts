import fc from "fast-check";
import { expect, test } from "vitest";
import { LITTLE } from "../elf/words.ts";
import { movedFields } from "./moved-fields.ts";

/** Lists as they stand behind a kernel, each behind its zero. */
function tableOf(lists: readonly (readonly number[])[]): Buffer {
  const words = lists.flatMap((list) => [0, ...list]);
  const table = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) table.writeInt32LE(word, 4 * i);
  return table;
}

const address = fc.integer({ min: -0x8000_0000, max: -1 });
const list = fc.array(address, { maxLength: 10 });

test("the lists of kernels before and after 6.15 are told apart, and read whole", () => {
  fc.assert(
    fc.property(list, list, list, (eight, against, four) => {
      const of = (at: readonly number[], size: 4 | 8, moves: "with" | "against") =>
        at.map((each) => ({ at: each, size, moves }));
      const ends = [of(eight, 8, "with"), of(four, 4, "with")] as const;
      expect(movedFields(tableOf([eight, against, four]), LITTLE)).toEqual([
        ...ends[0],
        ...of(against, 4, "against"),
        ...ends[1],
      ]);
      expect(movedFields(tableOf([eight, four]), LITTLE)).toEqual([...ends[0], ...ends[1]]);
    }),
  );
});

test("what is no such table is not taken for one", () => {
  for (const lists of [[], [[-1]], [[-1], [-2], [-3], [-4]]])
    expect(movedFields(tableOf(lists), LITTLE)).toBeUndefined();
  expect(movedFields(Buffer.alloc(7), LITTLE)).toBeUndefined();
  expect(movedFields(tableOf([[-1], [-2]]).subarray(4), LITTLE)).toBeUndefined();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const fields = movedFields(Buffer.from(bytes), LITTLE);
      expect(fields?.length ?? 0).toBeLessThanOrEqual(bytes.length / 4);
    }),
  );
});
