import { expect, test } from "vitest";
import { sinceChoice } from "./since-choice.ts";

const NOW = Date.parse("2026-01-31T12:00:00Z");

test("a time is so long ago, or a date here", () => {
  expect(sinceChoice(undefined, NOW)).toBe(0);
  expect(sinceChoice("90s", NOW)).toBe(NOW - 90_000);
  expect(sinceChoice("7d", NOW)).toBe(NOW - 7 * 86_400_000);
  expect(sinceChoice("2026-01-30", NOW)).toBe(new Date(2026, 0, 30).getTime());
  expect(sinceChoice("2026-01-31T12:00:00Z", NOW)).toBe(NOW);
});

test.each(["", "7", "7w", "yesterday", "12", "2026-13-01", "-5m"])("%j is none", (text) => {
  expect(() => sinceChoice(text, NOW)).toThrow(expect.objectContaining({ code: "USAGE" }));
});
