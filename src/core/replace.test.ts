import { expect, test } from "vitest";
import { A, B, SmallSystem, X } from "../../test/core/small-system.ts";

test("a cumulative patch takes the place of all others in one change, and puts back what it does not have", async () => {
  const small = new SmallSystem();
  const task = small.task();
  await small.core.load(small.patch("p1", [A, B]));
  await small.core.load(small.patch("p2", [X]));
  const outcome = await small.core.load(small.patch("p3", [A], { replace: true }), { consistency: "stop" });
  expect(outcome).toMatchObject({ kind: "done", cost: { tries: 1, stops: [{ tasks: 1 }] } });
  expect([A, B, X].map((site) => small.reached(site, task))).toEqual(["p3", "original", "original"]);
  expect(small.core.patches.map(({ name, enabled, replacedBy }) => [name, enabled, replacedBy])).toEqual([
    ["p1", false, "p3"],
    ["p2", false, "p3"],
    ["p3", true, undefined],
  ]);
  for (const name of ["p1", "p2"]) expect(small.core.unload(name).kind).toBe("done");
});

test("a task inside a function that is put back holds the replacement up", async () => {
  const small = new SmallSystem();
  small.task();
  await small.core.load(small.patch("p1", [A, B]));
  const inside = small.task(B);
  const outcome = await small.core.load(small.patch("p2", [A], { replace: true }), { timeoutMs: 50 });
  expect(outcome).toMatchObject({
    kind: "reversed",
    holders: [{ task: inside.id, hold: { kind: "function", site: B, patch: "p1" } }],
  });
  expect([A, B].map((site) => small.reached(site))).toEqual(["p1", "p1"]);
  expect(small.core.patches.map(({ name, replacedBy }) => [name, replacedBy])).toEqual([["p1", undefined]]);
});

test("a replaced patch can be enabled again, and is no replaced one then", async () => {
  const small = new SmallSystem();
  const task = small.task();
  await small.core.load(small.patch("p1", [A]));
  await small.core.load(small.patch("p2", [A], { replace: true }));
  await small.core.enable("p1");
  expect(small.reached(A, task)).toBe("p1");
  expect(small.core.patches.find(({ name }) => name === "p1")?.replacedBy).toBeUndefined();
});

test("only the callbacks of the patch that replaces are run", async () => {
  const small = new SmallSystem();
  small.task();
  await small.core.load(small.patch("p1", [A], { callbacks: true }));
  small.called.length = 0;
  await small.core.load(small.patch("p2", [A], { callbacks: true, replace: true }));
  expect(small.called).toEqual(["p2 server pre_patch", "p2 server post_patch"]);
});
