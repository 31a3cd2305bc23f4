import { expect, test } from "vitest";
import { A, B, SmallSystem } from "../../test/core/small-system.ts";

async function after(
  earlier: readonly (readonly [number, number])[],
  next: readonly (readonly [number, number])[],
  replace: boolean,
) {
  const small = new SmallSystem();
  small.task();
  const states = (list: readonly (readonly [number, number])[]) => list.map(([id, version]) => ({ id, version }));
  await small.core.load(small.patch("p1", [A], { states: states(earlier) }));
  const outcome = await small.core.load(small.patch("p2", [B], { states: states(next), replace }));
  return outcome.kind === "refused" ? `${outcome.refusal.code}: ${outcome.refusal.what}` : outcome.kind;
}

test("a cumulative patch has to know every state of those it replaces", async () => {
  expect(await after([[1, 1]], [], true)).toBe("PATCH_NOT_COMPATIBLE: p2 replaces p1 and does not know its state 1");
  expect(
    await after(
      [[1, 1]],
      [
        [1, 1],
        [2, 1],
      ],
      true,
    ),
  ).toBe("done");
});

test("one that is not cumulative need not know it", async () => {
  expect(await after([[1, 1]], [], false)).toBe("done");
});

test("an older version of a state is refused, cumulative or not", async () => {
  const refused = "PATCH_NOT_COMPATIBLE: p2 has version 1 of state 7, p1 has version 2";
  expect(await after([[7, 2]], [[7, 1]], true)).toBe(refused);
  expect(await after([[7, 2]], [[7, 1]], false)).toBe(refused);
  expect(await after([[7, 2]], [[7, 2]], false)).toBe("done");
  expect(await after([[7, 2]], [[7, 3]], true)).toBe("done");
});

test("states of a disabled patch do not count", async () => {
  const small = new SmallSystem();
  small.task();
  await small.core.load(small.patch("p1", [A], { states: [{ id: 1, version: 2 }] }));
  await small.core.disable("p1");
  expect((await small.core.load(small.patch("p2", [A], { replace: true }))).kind).toBe("done");
});
