import { expect, test } from "vitest";
import { whyTransitionStays } from "./holders.ts";

const line = (tid: number, name: string, ...frames: string[]) =>
  `holder ${tid} ${name}: ${frames.map((frame) => `${frame}+0x1/0x20 `).join("")}\n`;

test("names each task with the outermost patched function that it is in", () => {
  const output = `${line(15, "rcu_gp: a", "schedule_timeout", "inner", "outer", "kthread")}holder 9 odd: \n`;
  expect(whyTransitionStays(output, new Set(["inner", "outer", "schedule_timeout"]))).toBe(
    "the transition does not end: rcu_gp (15) is inside outer; odd (9) has a stack that is not shown",
  );
});

test("shows the stack where the livepatch does not say what it patches, and the caller where functions are not shown", () => {
  const output = line(2, "kthreadd", "kthreadd", "ret_from_fork");
  expect(whyTransitionStays(output, new Set())).toBe(
    "the transition does not end: kthreadd (2) is in kthreadd < ret_from_fork",
  );
  expect(whyTransitionStays(output, new Set(["schedule_timeout"]))).toMatch(
    /kthreadd \(2\) is most likely inside schedule_timeout, called by kthreadd: /,
  );
});

test("counts the tasks that it does not name", () => {
  const output = Array.from({ length: 7 }, (_, i) => line(i + 1, `k${i}`, "f")).join("");
  expect(whyTransitionStays(output, new Set(["f"]))).toMatch(/k3 \(4\) is inside f; and 3 more tasks$/);
});

test("has nothing to say where no task was told of", () => {
  expect(whyTransitionStays("insmod: can't insert: device busy\n", new Set())).toBeUndefined();
});
