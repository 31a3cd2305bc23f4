import fc from "fast-check";
import { expect, test } from "vitest";
import { LITTLE } from "../elf/words.ts";
import { type MovedField, MovedFields } from "./moved-fields.ts";

/** Lists as they stand behind a kernel, each behind its zero. */
function tableOf(lists: readonly (readonly number[])[]): Buffer {
  const words = lists.flatMap((list) => [0, ...list]);
  const table = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) table.writeInt32LE(word, 4 * i);
  return table;
}

const address = fc.integer({ min: -0x8000_0000, max: -1 });
const list = fc.array(address, { maxLength: 10 });

const within = (table: Buffer, from: number, to: number) => MovedFields.read(table, LITTLE)?.within(from, to);

test("the lists of kernels before and after 6.15 are told apart, and each field is found where it lies", () => {
  fc.assert(
    fc.property(list, list, list, address, fc.nat(0x4000_0000), (eight, against, four, from, length) => {
      const to = from + length;
      const of = (at: readonly number[], size: 4 | 8, moves: "with" | "against"): MovedField[] =>
        at.map((each) => ({ at: each, size, moves }));
      const wanted = (fields: readonly MovedField[]) =>
        fields.filter(({ at, size }) => at < to && at + size > from).sort((a, b) => a.at - b.at);
      const [first, last] = [of(eight, 8, "with"), of(four, 4, "with")];
      const all = [...first, ...of(against, 4, "against"), ...last];
      expect(within(tableOf([eight, against, four]), from, to)).toEqual(wanted(all));
      expect(within(tableOf([eight, four]), from, to)).toEqual(wanted([...first, ...last]));
    }),
  );
});

test("a field counts where any byte of it lies within", () => {
  const table = tableOf([[-100], [-50], [-20]]);
  for (const [from, to, found] of [
    [-93, -92, [-100]],
    [-92, -60, []],
    [-101, -100, []],
    [-47, -46, [-50]],
    [-46, -20, []],
    [-100, -19, [-100, -50, -20]],
  ] as const)
    expect(within(table, from, to)?.map(({ at }) => at)).toEqual(found);
});

test("what is no such table is not taken for one", () => {
  for (const lists of [[], [[-1]], [[-1], [-2], [-3], [-4]]])
    expect(MovedFields.read(tableOf(lists), LITTLE)).toBeUndefined();
  expect(MovedFields.read(Buffer.alloc(7), LITTLE)).toBeUndefined();
  expect(MovedFields.read(tableOf([[-1], [-2]]).subarray(4), LITTLE)).toBeUndefined();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const fields = within(Buffer.from(bytes), -0x8000_0000, 0x8000_0000);
      expect(fields?.length ?? 0).toBeLessThanOrEqual(bytes.length / 4);
    }),
  );
});
