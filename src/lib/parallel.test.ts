import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { mapParallel } from "./parallel.ts";

test("the results are in the order of the items, whatever ends first", async () => {
  const doubled = await mapParallel([30, 1, 10], 3, async (item) => {
    await sleep(item);
    return item * 2;
  });
  expect(doubled).toEqual([60, 2, 20]);
});

test("never more than the limit at a time, and as many as that", async () => {
  let running = 0;
  let most = 0;
  await mapParallel(Array.from({ length: 20 }), 3, async () => {
    most = Math.max(most, ++running);
    await sleep(1);
    running--;
  });
  expect(most).toBe(3);
});

test("no items give no results", async () => {
  expect(await mapParallel([], 4, async () => 1)).toEqual([]);
});

test("the first failure is thrown once the others have ended, and nothing new begins", async () => {
  const begun: number[] = [];
  let ended = false;
  const all = mapParallel([0, 1, 2, 3], 2, async (item, _index, signal) => {
    begun.push(item);
    if (item === 0) throw new Error("first");
    await sleep(10_000, undefined, { signal }).catch(() => {});
    await sleep(5);
    ended = true;
  });
  await expect(all).rejects.toThrow("first");
  expect(begun).toEqual([0, 1]);
  expect(ended).toBe(true);
});

test("an aborted signal stops the work with INTERRUPTED", async () => {
  const controller = new AbortController();
  const all = mapParallel(
    [1, 2, 3],
    1,
    async (item) => {
      if (item === 2) controller.abort();
    },
    controller.signal,
  );
  await expect(all).rejects.toMatchObject({ code: "INTERRUPTED" });
});
