import { expect, test } from "vitest";
import { A, SmallSystem } from "../../test/core/small-system.ts";

test.each(["stop", "lazy", "hybrid"] as const)(
  "when time is over a load goes back by itself (%s)",
  async (consistency) => {
    const small = new SmallSystem();
    const inside = small.task(A);
    const free = small.task();
    const outcome = await small.core.load(small.patch("p1", [A]), { consistency, timeoutMs: 20 });
    expect(outcome).toMatchObject({
      kind: "reversed",
      holders: [{ task: inside.id, hold: { kind: "function", site: A } }],
    });
    expect(small.reached(A, free)).toBe("original");
    expect(small.isOriginal).toBe(true);
    expect(small.core.patches).toEqual([]);
  },
);

test("the model stop tries until time is over, with growing pauses", async () => {
  const small = new SmallSystem();
  small.task(A);
  const outcome = await small.core.load(small.patch("p1", [A]), { consistency: "stop", timeoutMs: 1000 });
  if (outcome.kind !== "reversed") throw new Error(outcome.kind);
  expect(outcome.cost.tries).toBeGreaterThan(10);
  expect(outcome.cost.tries).toBeLessThan(20);
});

test("the model stop succeeds once the task has left", async () => {
  const small = new SmallSystem();
  const task = small.task(A);
  small.script.push({ at: 300, act: () => small.system.leave(task) });
  const outcome = await small.core.load(small.patch("p1", [A]), { consistency: "stop", timeoutMs: 1000 });
  expect(outcome.kind).toBe("done");
  expect(small.machine.now()).toBeLessThan(410);
});

test("kept at its deadline, a transition can be continued by another command", async () => {
  const small = new SmallSystem();
  const inside = small.task(A);
  const free = small.task();
  const p1 = small.patch("p1", [A]);
  const kept = await small.core.load(p1, { timeoutMs: 20, onDeadline: "keep" });
  expect(kept).toMatchObject({ kind: "pending", holders: [{ task: inside.id }] });
  expect([small.reached(A, inside), small.reached(A, free)]).toEqual(["original", "p1"]);
  small.checkHooks([p1]);
  const core = small.reopen();
  expect(core.patches).toMatchObject([{ name: "p1", transition: "patching", enabled: true }]);
  small.system.leave(inside);
  expect((await core.resume()).kind).toBe("done");
  expect(small.reached(A, inside)).toBe("p1");
});

test("the way back has a time of its own: where tasks hold that up too, it stays pending", async () => {
  const small = new SmallSystem();
  small.task(A);
  const other = small.task();
  // It switches, and then never leaves the new version.
  small.script.push({ at: 10, act: () => void small.system.enter(other, A) });
  const outcome = await small.core.load(small.patch("p1", [A]), { consistency: "lazy", timeoutMs: 50 });
  expect(outcome).toMatchObject({ kind: "pending", holders: [{ task: other.id, hold: { patch: "p1" } }] });
  expect(small.core.transition).toMatchObject({ phase: "moving", reversed: true });
  expect((await small.core.force()).kind).toBe("done");
  expect(small.core.patches).toMatchObject([{ name: "p1", enabled: false, forced: true }]);
});

test("an abort is as if time were over", async () => {
  const small = new SmallSystem();
  small.task(A);
  const abort = new AbortController();
  small.script.push({ at: 30, act: () => abort.abort() });
  const outcome = await small.core.load(small.patch("p1", [A]), { signal: abort.signal, timeoutMs: 1_000_000 });
  expect(outcome.kind).toBe("reversed");
  expect(small.machine.now()).toBeLessThan(200);
  expect(small.isOriginal).toBe(true);
});

test("disable during a load turns it round, enable during a disable too", async () => {
  const small = new SmallSystem();
  const task = small.task(A);
  await small.core.load(small.patch("p1", [A]), { timeoutMs: 5, onDeadline: "keep" });
  expect((await small.core.disable("p1")).kind).toBe("done");
  expect(small.isOriginal).toBe(true);
  expect(small.core.patches).toEqual([]);

  small.system.leave(task);
  await small.core.load(small.patch("p2", [A]));
  small.system.enter(task, A);
  await small.core.disable("p2", { timeoutMs: 5, onDeadline: "keep" });
  expect((await small.core.enable("p2")).kind).toBe("done");
  expect(small.reached(A)).toBe("p2");
});
