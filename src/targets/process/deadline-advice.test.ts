import { expect, test } from "vitest";
import type { Hold, Holder } from "../../core/holder.ts";
import { adviceFor } from "./deadline-advice.ts";

const holders = (...holds: readonly Hold[]): Holder[] =>
  holds.map((hold, task) => ({ task, hold, doing: { kind: "running" } }));
const inside: Hold = { kind: "function", site: "a:b,0", patch: undefined, frame: 0 };

test("what was tried is not advised", () => {
  expect(adviceFor(holders(inside), "stop")).toContain("--consistency lazy");
  for (const consistency of ["lazy", "hybrid", undefined] as const)
    expect(adviceFor(holders(inside), consistency)).not.toContain("--consistency");
});

test("what cannot help is not advised", () => {
  for (const hold of [
    { kind: "suspended", why: "" },
    { kind: "unreliable", why: "" },
  ] as const)
    expect(adviceFor(holders(inside, hold), "stop")).not.toContain("--consistency");
});
