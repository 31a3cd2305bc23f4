import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { progressTo } from "./progress.ts";

function recorder(terminal: boolean): { written: () => string; stream: Parameters<typeof progressTo>[0] } {
  let written = "";
  const stream = { isTTY: terminal, columns: 20, write: (text: string) => (written += text) };
  return { written: () => written, stream };
}

// Whatever kind of terminal the tests are run from.
beforeAll(() => void vi.stubEnv("TERM", "xterm"));
afterAll(() => void vi.unstubAllEnvs());

test("where there is no terminal each step and note is a plain line", () => {
  const { written, stream } = recorder(false);
  const progress = progressTo(stream);
  progress.step("compile");
  progress.tick(1, 2);
  progress.note("a note\x1b[2J");
  progress.done();
  expect(written()).toBe("compile\na note\\x1b[2J\n");
});

test("on a terminal a step is one line, cut to its width, that is cleared in the end", () => {
  const { written, stream } = recorder(true);
  const progress = progressTo(stream);
  progress.step("a step with a text that is too long");
  progress.done();
  expect(written()).toBe("\r\x1b[2Ka step with a text \r\x1b[2K");
});

test("on a terminal a note stays above the step", () => {
  const { written, stream } = recorder(true);
  const progress = progressTo(stream);
  progress.step("link");
  progress.note("seen");
  expect(written()).toBe("\r\x1b[2Klink\r\x1b[2Kseen\n\r\x1b[2Klink");
});

test("the last tick is shown however soon it comes", () => {
  const { written, stream } = recorder(true);
  const progress = progressTo(stream);
  progress.step("compile");
  progress.tick(1, 3);
  progress.tick(3, 3);
  expect(written()).not.toContain("1/3");
  expect(written()).toContain("compile 3/3");
});
