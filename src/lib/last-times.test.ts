import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LastTimes } from "./last-times.ts";
import { silentProgress } from "./progress.ts";

let directory: string;
let now: number;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "suture-times-"));
  now = 0;
});
afterEach(() => rmSync(directory, { recursive: true }));

/** One command: its steps, each of so many seconds; what is shown of them. */
function command(steps: readonly (readonly [text: string, seconds: number])[], isWhole = true): string[] {
  const shown: string[] = [];
  const to = { ...silentProgress, step: (text: string) => void shown.push(text) };
  const times = new LastTimes(
    to,
    () => join(directory, "new"),
    () => now,
  );
  for (const [text, seconds] of steps) {
    times.step(text);
    now += seconds * 1000;
  }
  if (!isWhole) times.forget();
  times.done();
  return shown;
}

test("a long step says how long it took the last time", () => {
  expect(
    command([
      ["download", 41.4],
      ["link", 1],
    ]),
  ).toEqual(["download", "link"]);
  expect(
    command([
      ["download", 8],
      ["link", 1],
    ]),
  ).toEqual(["download (the last time 41 s)", "link"]);
  expect(command([["download", 8]])).toEqual(["download (the last time 8 s)"]);
});

test("pictures go through", () => {
  const pictures: unknown[] = [];
  const to = { ...silentProgress, picture: (picture: unknown) => void pictures.push(picture) };
  const picture = { lines: () => [], line: "" };
  new LastTimes(to, () => directory).picture(picture);
  expect(pictures).toEqual([picture]);
});

test("one that failed says nothing", () => {
  command([["download", 41]]);
  command([["download", 7]], false);
  expect(command([["download", 1]])).toEqual(["download (the last time 41 s)"]);
});

test("a file that is damaged is as good as none, and is written anew", () => {
  command([["download", 41]]);
  const file = join(directory, "new/times.json");
  for (const text of ["{", "3", '[["download","41"],[1,2],null]']) {
    writeFileSync(file, text);
    expect(command([["download", 1]])).toEqual(["download"]);
  }
  command([["download", 9]]);
  expect(readFileSync(file, "utf8")).toBe('[["download",9]]');
  expect(readdirSync(join(directory, "new"))).toEqual(["times.json"]);
});

test("nothing is kept where nothing may be, and nobody's link is followed", () => {
  const refused = new LastTimes(
    silentProgress,
    () => {
      throw new Error("the cache of another user");
    },
    () => now,
  );
  refused.step("download");
  now += 9000;
  refused.done();
  mkdirSync(join(directory, "new"));
  writeFileSync(join(directory, "other"), "as it was");
  symlinkSync("../other", join(directory, "new/times.json"));
  command([["download", 9]]);
  expect(readFileSync(join(directory, "other"), "utf8")).toBe("as it was");
});

test("the oldest are forgotten", () => {
  command(Array.from({ length: 301 }, (_, index) => [`step ${index}`, 5] as const));
  expect(command([["step 0", 1]])).toEqual(["step 0"]);
  expect(command([["step 1", 1]])).toEqual(["step 1 (the last time 5 s)"]);
});
