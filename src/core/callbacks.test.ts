import { expect, test } from "vitest";
import { A, SmallSystem, X } from "../../test/core/small-system.ts";
import { SutureError } from "../lib/error.ts";

const FOR = { callbacks: true } as const;

test("they run around each transition, object by object", async () => {
  const small = new SmallSystem();
  small.task();
  await small.core.load(small.patch("p1", [A, X], FOR));
  await small.core.disable("p1");
  expect(small.called).toEqual([
    "p1 server pre_patch",
    "p1 lib pre_patch",
    "p1 server post_patch",
    "p1 lib post_patch",
    "p1 server pre_unpatch",
    "p1 lib pre_unpatch",
    "p1 server post_unpatch",
    "p1 lib post_unpatch",
  ]);
});

test("a pre_patch that refuses undoes the objects before it, and no others", async () => {
  const small = new SmallSystem();
  small.task();
  small.returns.set("p1 lib pre_patch", -16);
  const outcome = await small.core.load(small.patch("p1", [A, X], FOR));
  expect(outcome).toMatchObject({
    kind: "refused",
    refusal: { code: "CALLBACK_REFUSED", what: "patch p1 refuses to be loaded: pre_patch of lib returned -16" },
  });
  expect(small.called).toEqual(["p1 server pre_patch", "p1 lib pre_patch", "p1 server post_unpatch"]);
  expect(small.core.patches).toEqual([]);
  expect(small.isOriginal).toBe(true);
});

test("no other callback can refuse, whatever it returns", async () => {
  const small = new SmallSystem();
  small.task();
  for (const name of ["post_patch", "pre_unpatch", "post_unpatch"]) small.returns.set(`p1 server ${name}`, -1);
  expect((await small.core.load(small.patch("p1", [A], FOR))).kind).toBe("done");
  expect((await small.core.disable("p1")).kind).toBe("done");
});

test.each(["stop", "lazy"] as const)(
  "a patching that is reversed (%s) ends with post_unpatch alone",
  async (consistency) => {
    const small = new SmallSystem();
    small.task(A);
    const outcome = await small.core.load(small.patch("p1", [A], FOR), { consistency, timeoutMs: 5 });
    expect(outcome.kind).toBe("reversed");
    expect(small.called).toEqual(["p1 server pre_patch", "p1 server post_unpatch"]);
  },
);

test.each(["stop", "lazy"] as const)(
  "an unpatching that is reversed (%s) ends with post_patch",
  async (consistency) => {
    const small = new SmallSystem();
    small.task();
    await small.core.load(small.patch("p1", [A], FOR));
    small.called.length = 0;
    small.task(A);
    expect((await small.core.disable("p1", { consistency, timeoutMs: 5 })).kind).toBe("reversed");
    expect(small.called).toEqual(["p1 server pre_unpatch", "p1 server post_patch"]);
    expect(small.reached(A)).toBe("p1");
  },
);

test("one that cannot be called refuses where it may, and is noted where it may not", async () => {
  const small = new SmallSystem({
    onCallback: () => {
      throw new SutureError("MADE_UP_FAULT", "it ended with SIGSEGV");
    },
  });
  small.task();
  const refused = await small.core.load(small.patch("p1", [A], FOR));
  expect(refused).toMatchObject({ kind: "refused", refusal: { code: "CALLBACK_REFUSED" } });
  const p2 = small.patch("p2", [A], FOR);
  const [server] = p2.objects;
  if (server === undefined) throw new Error("p2 has no object");
  const only = { ...p2, objects: [{ ...server, callbacks: { post_patch: server.callbacks.post_patch } }] };
  const noted = await small.core.load(only);
  expect(noted).toMatchObject({
    kind: "done",
    notes: ["post_patch of server could not be called: it ended with SIGSEGV"],
  });
});

test("after a kill between them, none that has returned runs again", async () => {
  const small = new SmallSystem();
  small.task();
  small.machine.attach(12);
  const p1 = small.patch("p1", [A, X], FOR);
  await expect(small.core.load(p1)).rejects.toBeDefined();
  expect(small.called).toEqual(["p1 server pre_patch", "p1 lib pre_patch"]);
  const core = small.reopen();
  expect(core.transition?.phase).toBe("before");
  await core.resume();
  expect(small.called.filter((name) => name === "p1 server pre_patch")).toHaveLength(1);
  expect(small.called.at(-1)).toBe("p1 lib post_patch");
});
