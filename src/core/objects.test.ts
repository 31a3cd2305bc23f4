import { expect, test } from "vitest";
import { A, SmallSystem, X } from "../../test/core/small-system.ts";

test("an object that comes later is patched then, with its own callbacks", async () => {
  const small = new SmallSystem();
  const task = small.task();
  await small.core.load(small.patch("p1", [A], { absent: ["lib"], callbacks: true }));
  expect(small.core.patches).toMatchObject([{ objects: ["server"], absent: ["lib"] }]);
  small.called.length = 0;
  expect((await small.core.objectLoaded("p1", small.object("p1", "lib", [X], true))).kind).toBe("done");
  expect(small.reached(X, task)).toBe("p1");
  expect(small.called).toEqual(["p1 lib pre_patch", "p1 lib post_patch"]);
  expect(small.core.patches).toMatchObject([{ objects: ["server", "lib"], absent: [] }]);
  await small.core.disable("p1");
  expect(small.isOriginal).toBe(true);
});

test("its place in the stack is that of its patch", async () => {
  const small = new SmallSystem();
  const task = small.task();
  await small.core.load(small.patch("p1", [A], { absent: ["lib"] }));
  await small.core.load(small.patch("p2", [X]));
  await small.core.objectLoaded("p1", small.object("p1", "lib", [X]));
  expect(small.reached(X, task)).toBe("p2");
  await small.core.disable("p2");
  expect(small.reached(X, task)).toBe("p1");
});

test("where its pre_patch refuses, the rest of the patch stays in effect", async () => {
  const small = new SmallSystem();
  const task = small.task();
  await small.core.load(small.patch("p1", [A], { absent: ["lib"] }));
  small.returns.set("p1 lib pre_patch", -1);
  expect((await small.core.objectLoaded("p1", small.object("p1", "lib", [X], true))).kind).toBe("refused");
  expect([A, X].map((site) => small.reached(site, task))).toEqual(["p1", "original"]);
  expect(small.core.patches).toMatchObject([{ objects: ["server"], absent: ["lib"] }]);
});

test("for a disabled patch it is only remembered", async () => {
  const small = new SmallSystem();
  const task = small.task();
  await small.core.load(small.patch("p1", [A], { absent: ["lib"] }));
  await small.core.disable("p1");
  await small.core.objectLoaded("p1", small.object("p1", "lib", [X]));
  expect(small.reached(X, task)).toBe("original");
  await small.core.enable("p1");
  expect(small.reached(X, task)).toBe("p1");
});

test("an object that goes takes its hooks with it, and can come again elsewhere", async () => {
  const small = new SmallSystem();
  const task = small.task();
  await small.core.load(small.patch("p1", [A, X]));
  small.core.objectGone("lib");
  expect([...small.system.hooks.keys()]).toEqual([A]);
  expect(small.reopen().patches).toMatchObject([{ objects: ["server"], absent: ["lib"] }]);
  const ranges = [{ start: 0x90_0000, end: 0x90_0100 }];
  small.system.sites.set(X, { id: X, original: { entry: 0x90_0000, ranges } });
  expect((await small.core.objectLoaded("p1", small.object("p1", "lib", [X]))).kind).toBe("done");
  expect(small.reached(X, task)).toBe("p1");
});

test("one that goes in the middle of a transition holds nothing up", async () => {
  const small = new SmallSystem();
  const task = small.task(X);
  await small.core.load(small.patch("p1", [A, X]), { timeoutMs: 5, onDeadline: "keep" });
  small.system.jumpOut(task, 1);
  small.system.sites.delete(X);
  small.core.objectGone("lib");
  expect((await small.core.resume()).kind).toBe("done");
  expect(small.reached(A, task)).toBe("p1");
});
