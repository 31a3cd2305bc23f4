import { expect, test } from "vitest";
import { A, SmallSystem } from "../../test/core/small-system.ts";

async function pendingDisable() {
  const small = new SmallSystem();
  const task = small.task();
  await small.core.load(small.patch("p1", [A]));
  small.system.enter(task, A);
  await small.core.disable("p1", { timeoutMs: 5, onDeadline: "keep" });
  return { small, task };
}

test("a forced transition ends at once, and what it leaves can never be unloaded", async () => {
  const { small, task } = await pendingDisable();
  expect((await small.core.force()).kind).toBe("done");
  expect(small.reached(A, task)).toBe("original");
  expect(small.isOriginal).toBe(true);
  expect(small.core.unload("p1")).toMatchObject({ kind: "refused", refusal: { code: "PATCH_FORCED" } });
  expect(small.reopen().patches).toMatchObject([{ name: "p1", enabled: false, forced: true }]);
});

test("forcing onto a patch does not keep that patch from being unloaded, only those it takes over from", async () => {
  const small = new SmallSystem();
  const task = small.task();
  await small.core.load(small.patch("p1", [A]));
  small.system.enter(task, A);
  await small.core.load(small.patch("p2", [A]), { timeoutMs: 5, onDeadline: "keep" });
  await small.core.force();
  expect(small.core.patches.map(({ name, forced }) => [name, forced])).toEqual([
    ["p1", true],
    ["p2", false],
  ]);
});

test("a forced patch can be enabled and disabled again", async () => {
  const { small, task } = await pendingDisable();
  await small.core.force();
  expect((await small.core.enable("p1")).kind).toBe("done");
  small.system.leave(task);
  expect((await small.core.disable("p1")).kind).toBe("done");
  expect(small.core.unload("p1").kind).toBe("refused");
});

test("without a transition there is nothing to force", async () => {
  const small = new SmallSystem();
  expect(await small.core.force()).toMatchObject({ kind: "refused", refusal: { code: "NO_TRANSITION" } });
});
