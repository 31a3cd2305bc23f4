import { expect, test } from "vitest";
import { A, B, SmallSystem } from "../../test/core/small-system.ts";
import { HeldCode } from "./held-code.ts";
import { describeHolder, type Holder, holdOf } from "./holder.ts";

async function holdersOf(small: SmallSystem): Promise<readonly Holder[]> {
  const outcome = await small.core.load(small.patch("p1", [A, B]), { consistency: "stop", timeoutMs: 0 });
  if (outcome.kind !== "reversed") throw new Error(outcome.kind);
  return outcome.holders;
}

test("each task in the way is named, with the outermost function that holds it and what it does", async () => {
  const small = new SmallSystem();
  const running = small.task(A);
  const blocked = small.task(B, A);
  blocked.blockedIn = "futex";
  const entering = small.task();
  entering.entering = entering.stack.at(-1);
  small.task();
  const holders = await holdersOf(small);
  expect(holders.map((holder) => [holder.task, describeHolder(holder)])).toEqual([
    [running.id, "inside a (server) at frame 0; running"],
    [blocked.id, "inside b (server) at frame 1; blocked in futex"],
    [entering.id, "unreliable stack: in the middle of a hook; running"],
  ]);
});

test("a function of a patch is named with its patch", async () => {
  const small = new SmallSystem();
  const task = small.task();
  await small.core.load(small.patch("p0", [A]));
  small.system.enter(task, A);
  const [holder] = await holdersOf(small);
  expect(holder === undefined ? "" : describeHolder(holder)).toBe("inside a (server) of p0 at frame 0; running");
});

test("positions are told where a name is not unique, and other ids stay as they are", () => {
  const at = (site: string): string =>
    describeHolder({
      task: 1,
      hold: { kind: "function", site, patch: undefined, frame: 2 },
      doing: { kind: "running" },
    });
  expect(at("libz.so.1:inflate,2")).toBe("inside inflate (libz.so.1, the one at position 2) at frame 2; running");
  expect(at("strange")).toBe("inside strange at frame 2; running");
});

const HELD = new HeldCode({
  sites: [
    {
      site: { id: A, original: { entry: 10, ranges: [] } },
      old: { patch: undefined, code: { entry: 10, ranges: [{ start: 10, end: 20 }] } },
      new: { patch: "p1", code: { entry: 50, ranges: [] } },
    },
  ],
  left: [],
});

test("a task whose frames are not told switches where it can reach nothing of the code, and not else", () => {
  const hold = (addresses: readonly number[] | undefined) =>
    holdOf({ kind: "unreliable", frames: [], why: "no frames", mayReach: () => addresses }, HELD);
  expect(hold([5, 21, 50])).toBeUndefined();
  expect(hold([])).toBeUndefined();
  expect(hold(undefined)).toEqual({ kind: "unreliable", why: "no frames" });
  // 20 may be returned to by a call that is the last instruction.
  for (const inside of [10, 15, 20]) {
    expect(hold([5, inside])).toEqual({
      kind: "unreliable",
      why: "no frames, and an address inside a (server) lies on its stack",
    });
  }
  expect(holdOf({ kind: "unreliable", frames: [], why: "no frames" }, HELD)).toMatchObject({ kind: "unreliable" });
});
