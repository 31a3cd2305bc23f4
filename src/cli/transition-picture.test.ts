import { expect, test } from "vitest";
import { progressTo } from "../lib/progress.ts";
import type { KernelHolder } from "../targets/kernel/holders.ts";
import type { TransitionLook } from "../targets/kernel/transition.ts";
import { transitionPicture } from "./transition-picture.ts";

const sleeper: KernelHolder = {
  ...{ pid: 812, tid: 812, name: "sleep", isKernelThread: false, doing: "sleeping", stack: [] },
  why: "inside hrtimer_nanosleep at frame 1; asleep in do_nanosleep",
  help: "a signal ends the wait",
};

function look(count: number, elapsedMs: number, name = "sleep"): TransitionLook {
  const holders = Array.from({ length: count }, (_, i) => ({ ...sleeper, name, tid: 812 + i }));
  return { patch: "fix", going: "enabling", elapsedMs, timeoutMs: 60_000, tasks: 200, holders };
}

const LOOKS = [look(8, 500), look(4, 1000), look(1, 1500)];

test("a transition is drawn with who is left against time, and what would help each", () => {
  expect(transitionPicture(LOOKS, false, true).lines(80, 24)).toEqual([
    "fix: patching: 199 of 200 tasks have switched",
    "█▅▂ left 1, 1.5 of 60 s",
    "  sleep (812): inside hrtimer_nanosleep at frame 1; asleep in do_nanosleep",
    "    a signal ends the wait",
    "after 60 s it is turned back; Ctrl-C turns it back now",
  ]);
  expect(transitionPicture(LOOKS, true, false).lines(80, 24)).toEqual(
    expect.arrayContaining([expect.stringMatching(/^#=\. left 1/), expect.stringMatching(/left as it is/)]),
  );
});

test.each([
  [0, 0],
  [1, 1],
  [2, 50],
  [7, 3],
  [20, 5],
  [80, 24],
  [400, 200],
])("a picture fits into a terminal of %d columns and %d rows, whatever tasks are called", (columns, rows) => {
  for (const name of ["sleep", "\u4efb\u52a1\u4efb\u52a1\u4efb", "x".repeat(15)])
    for (const count of [0, 1, 3, 500]) {
      const looks = Array.from({ length: 300 }, (_, i) => look(count, i * 500, name));
      const lines = transitionPicture(looks, false, true).lines(columns, rows);
      expect(lines.length).toBeLessThanOrEqual(Math.max(1, rows - 1));
      for (const line of lines) {
        const wide = [...line].reduce((sum, each) => sum + (/[\u4e00-\u9fff]/.test(each) ? 2 : 1), 0);
        expect(wide).toBeLessThanOrEqual(Math.max(1, columns - 1));
      }
    }
});

test("where nothing can be drawn over it is one line, that names the first few tasks", () => {
  expect(transitionPicture([look(5, 2500)], false).line).toBe(
    "fix: patching: 195 of 200 tasks have switched after 2.5 s: " +
      `${[812, 813, 814].map((tid) => `sleep (${tid}) ${sleeper.why}`).join("; ")}; and 2 more`,
  );
});

const SEQUENCES = /␛\[\d*[A-Z]|[^␛]/gu;

/** What is left on a terminal when this was written to it, by the few sequences that are used. */
function shown(text: string): string[] {
  const screen: string[] = [""];
  let [row, column] = [0, 0];
  for (const [each] of text.replaceAll("\u001b", "␛").matchAll(SEQUENCES)) {
    if (each === "\n") [row, column] = [row + 1, 0];
    else if (each === "\r") column = 0;
    else if (each === "␛[J") screen.splice(row, Infinity, (screen[row] ?? "").slice(0, column));
    else if (each === "␛[2K") screen[row] = "";
    else if (each.startsWith("␛")) row -= Number(/\d+/.exec(each)?.[0] ?? 1);
    else {
      screen[row] = `${(screen[row] ?? "").slice(0, column)}${each}`;
      column += 1;
    }
    screen[row] ??= "";
  }
  return screen;
}

function drawn(stream: { readonly isTTY: boolean; readonly columns?: number }, env: NodeJS.ProcessEnv) {
  let written = "";
  const progress = progressTo({ rows: 24, ...stream, write: (text: string) => (written += text) }, env);
  for (let i = 1; i <= LOOKS.length; i++) progress.picture?.(transitionPicture(LOOKS.slice(0, i), false, true));
  const before = shown(written);
  progress.done();
  return { written, before, after: shown(written) };
}

test("each picture is drawn over the one before, and the last one is cleared in the end", () => {
  const { before, after } = drawn({ isTTY: true, columns: 80 }, { TERM: "xterm" });
  expect(before).toEqual([...transitionPicture(LOOKS, false, true).lines(80, 24)]);
  expect(after.filter((line) => line !== "")).toEqual([]);
});

test.each([
  [{ isTTY: false }, { TERM: "xterm" }],
  [{ isTTY: true, columns: 80 }, { TERM: "dumb" }],
  [{ isTTY: true, columns: 0 }, { TERM: "xterm" }],
])("no terminal that cannot be drawn over gets a control sequence: %j %j", (stream, env) => {
  const { written } = drawn(stream, env);
  expect(written).toMatch(/^fix: patching: 192 of 200 tasks have switched after 0.5 s: .*\n$/);
  expect(written).not.toContain("\u001b");
});
