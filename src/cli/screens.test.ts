import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { screens, showScreens } from "./screens.ts";

// Whatever kind of terminal the tests are run from.
beforeAll(() => void vi.stubEnv("TERM", "xterm"));
afterAll(() => void vi.unstubAllEnvs());

async function written(all: readonly (readonly string[])[], stream: object): Promise<string[]> {
  const texts: string[] = [];
  async function* each() {
    yield* all;
  }
  await showScreens(each(), { ...stream, write: (text) => texts.push(text) });
  return texts;
}

test("a terminal is drawn anew each time, and nothing goes beyond its edges", async () => {
  const all = [["one line", "two", "three"], ["other"]];
  const texts = await written(all, { isTTY: true, columns: 5, rows: 3 });
  expect(texts).toEqual(["\x1b[H\x1b[2Jone l\ntwo", "\x1b[H\x1b[2Jother", "\n"]);
  expect(await written([["x".repeat(200)]], { isTTY: true, columns: 0, rows: 0 })).toContain(
    `\x1b[H\x1b[2J${"x".repeat(80)}`,
  );
});

test("elsewhere only what has changed is printed", async () => {
  expect(await written([["a"], ["a"], ["b\x1b[2J"]], {})).toEqual(["a\n\n", "b\\x1b[2J\n\n"]);
});

test("looking ends with the signal", async () => {
  const controller = new AbortController();
  let looks = 0;
  const look = async () => {
    if (++looks === 2) controller.abort();
    return [String(looks)];
  };
  const seen: unknown[] = [];
  for await (const each of screens(look, controller.signal)) seen.push(each);
  expect(seen).toEqual([["1"], ["2"]]);
});
