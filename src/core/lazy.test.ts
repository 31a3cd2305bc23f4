import { expect, test } from "vitest";
import { A, B, SmallSystem } from "../../test/core/small-system.ts";

const LAZY = { consistency: "lazy", timeoutMs: 10_000 } as const;

test("a task is caught exactly when it leaves its outermost affected function, and not before", async () => {
  const small = new SmallSystem();
  const task = small.task(A, B, A);
  for (const time of [20, 40, 60]) at(small, time, () => small.system.leave(task));
  const outcome = await small.core.load(small.patch("p1", [A, B]), LAZY);
  if (outcome.kind !== "done") throw new Error(outcome.kind);
  expect(small.machine.now()).toBeLessThan(61);
  // Looked at when it began, and when it had left: nothing in between.
  expect(outcome.cost.tasks.get(task.id)).toEqual({ stops: 2, stoppedUs: 20 });
});

test("the first stop reads no stacks and the last finds nobody behind", async () => {
  const small = new SmallSystem();
  for (let count = 0; count < 20; count++) small.task();
  const outcome = await small.core.load(small.patch("p1", [A]), LAZY);
  if (outcome.kind !== "done") throw new Error(outcome.kind);
  expect(outcome.cost.stops).toHaveLength(2);
  expect(outcome.cost.tasks.size).toBe(20);
});

test("while one task is held the others see the new version already", async () => {
  const small = new SmallSystem();
  const held = small.task(A);
  const free = small.task();
  const seen: string[] = [];
  at(small, 10, () => seen.push(small.reached(A, held), small.reached(A, free), small.reached(A)));
  at(small, 20, () => small.system.leave(held));
  await small.core.load(small.patch("p1", [A]), LAZY);
  expect(seen).toEqual(["original", "p1", "p1"]);
});

test("a task that cannot be watched is looked at again, at most 100 ms later", async () => {
  const small = new SmallSystem({ watches: false });
  const task = small.task(A);
  at(small, 1000, () => small.system.leave(task));
  const outcome = await small.core.load(small.patch("p1", [A]), LAZY);
  if (outcome.kind !== "done") throw new Error(outcome.kind);
  expect(small.machine.now()).toBeLessThan(1105);
  expect(outcome.cost.tasks.get(task.id)?.stops).toBeGreaterThan(10);
});

test("one that jumps out of all its functions is found without any return", async () => {
  const small = new SmallSystem();
  const task = small.task(A, B);
  at(small, 150, () => small.system.jumpOut(task, 1));
  expect((await small.core.load(small.patch("p1", [A, B]), LAZY)).kind).toBe("done");
  expect(small.machine.now()).toBeLessThan(500);
});

test("one that dies while it is watched holds nothing up", async () => {
  const small = new SmallSystem();
  small.task();
  const task = small.task(A);
  at(small, 30, () => small.system.die(task));
  expect((await small.core.load(small.patch("p1", [A]), LAZY)).kind).toBe("done");
  expect(small.machine.now()).toBeLessThan(32);
});

test("a system that is no more ends it with TARGET_GONE", async () => {
  const small = new SmallSystem();
  small.task(A);
  at(small, 30, () => {
    small.system.isGone = true;
  });
  await expect(small.core.load(small.patch("p1", [A]), LAZY)).rejects.toMatchObject({ code: "TARGET_GONE" });
});

test("a forked child, with one of the tasks, finishes on its own", async () => {
  const small = new SmallSystem();
  const held = small.task(A);
  small.task();
  const p1 = small.patch("p1", [A]);
  await small.core.load(p1, { ...LAZY, timeoutMs: 5, onDeadline: "keep" });
  const child = SmallSystem.of(small.system.fork(held));
  expect(child.core.transition).toMatchObject({ patch: "p1", phase: "moving" });
  const [task] = child.system.tasks;
  if (task === undefined) throw new Error("the child has no task");
  at(child, 20, () => child.system.leave(task));
  expect((await child.core.resume(LAZY)).kind).toBe("done");
  expect(child.reached(A, task)).toBe("p1");
});

function at(small: SmallSystem, time: number, act: () => void): void {
  small.script.push({ at: time, act });
}
