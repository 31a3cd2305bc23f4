import { describe, expect, test } from "vitest";
import { A, B, SmallSystem } from "../../test/core/small-system.ts";
import type { Outcome } from "./outcome.ts";

function codeOf(outcome: Outcome): string {
  return outcome.kind === "refused" ? outcome.refusal.code : outcome.kind;
}

describe.each(["stop", "lazy", "hybrid"] as const)("with the model %s", (consistency) => {
  test("a patch is loaded, disabled, enabled again and unloaded", async () => {
    const small = new SmallSystem();
    small.task();
    expect(codeOf(await small.core.load(small.patch("p1", [A, B]), { consistency }))).toBe("done");
    expect([small.reached(A), small.reached(B)]).toEqual(["p1", "p1"]);
    expect(codeOf(await small.core.disable("p1", { consistency }))).toBe("done");
    expect(small.isOriginal).toBe(true);
    expect(codeOf(await small.core.enable("p1", { consistency }))).toBe("done");
    expect(small.reached(A)).toBe("p1");
    await small.core.disable("p1", { consistency });
    expect(codeOf(small.core.unload("p1"))).toBe("done");
    expect(small.core.patches).toEqual([]);
    expect(small.isOriginal).toBe(true);
  });

  test("after a transition every site is direct for all tasks", async () => {
    const small = new SmallSystem();
    small.task();
    await small.core.load(small.patch("p1", [A]), { consistency });
    expect(small.system.hook(A).kind).toBe("direct");
    expect(small.system.behind.size).toBe(0);
  });
});

describe("patches on one function", () => {
  async function stacked() {
    const small = new SmallSystem();
    const task = small.task();
    for (const name of ["p1", "p2", "p3"]) await small.core.load(small.patch(name, name === "p2" ? [A, B] : [A]));
    return { small, task };
  }

  test("the one that was enabled last wins", async () => {
    const { small, task } = await stacked();
    expect(small.reached(A, task)).toBe("p3");
    expect(small.reached(B, task)).toBe("p2");
  });

  test("one in the middle can be disabled, and the one above it stays", async () => {
    const { small, task } = await stacked();
    expect(codeOf(await small.core.disable("p2"))).toBe("done");
    expect(small.reached(A, task)).toBe("p3");
    expect(small.reached(B, task)).toBe("original");
    await small.core.disable("p3");
    expect(small.reached(A, task)).toBe("p1");
    await small.core.disable("p1");
    expect(small.isOriginal).toBe(true);
  });

  test("one that is enabled again comes on top", async () => {
    const { small, task } = await stacked();
    await small.core.disable("p1");
    await small.core.enable("p1");
    expect(small.reached(A, task)).toBe("p1");
    await small.core.disable("p1");
    expect(small.reached(A, task)).toBe("p3");
  });
});

describe("refused, with nothing changed", () => {
  test("wishes that make no sense", async () => {
    const small = new SmallSystem();
    small.task();
    const p1 = small.patch("p1", [A]);
    await small.core.load(p1);
    expect(codeOf(await small.core.load(p1))).toBe("ALREADY_LOADED");
    expect(codeOf(await small.core.enable("p1"))).toBe("ALREADY_ENABLED");
    expect(codeOf(small.core.unload("p1"))).toBe("PATCH_ENABLED");
    expect(codeOf(await small.core.disable("p2"))).toBe("NO_SUCH_PATCH");
    expect(codeOf(await small.core.resume())).toBe("NO_TRANSITION");
    await small.core.disable("p1");
    expect(codeOf(await small.core.disable("p1"))).toBe("ALREADY_DISABLED");
    small.checkHooks([p1]);
  });

  test("a second version of one function in one patch, and a function that has moved", async () => {
    const small = new SmallSystem();
    small.task();
    expect(codeOf(await small.core.load(small.patch("p1", [A, A])))).toBe("FUNC_TWICE");
    await small.core.load(small.patch("p2", [A]));
    small.system.sites.set(A, {
      id: A,
      original: { entry: 0x90_0000, ranges: [{ start: 0x90_0000, end: 0x90_0100 }] },
    });
    expect(codeOf(await small.core.load(small.patch("p3", [A])))).toBe("SITE_MOVED");
  });

  test("another patch during a transition", async () => {
    const small = new SmallSystem();
    small.task(A);
    await small.core.load(small.patch("p1", [A]), { timeoutMs: 5, onDeadline: "keep" });
    expect(codeOf(await small.core.load(small.patch("p2", [B])))).toBe("TRANSITION_IN_PROGRESS");
    expect(codeOf(await small.core.disable("p2"))).toBe("TRANSITION_IN_PROGRESS");
    expect(codeOf(small.core.unload("p1"))).toBe("TRANSITION_IN_PROGRESS");
  });
});
