import { expect, test } from "vitest";
import { formatError, formatProblem, problemOf, SutureError } from "./error.ts";

test("an error is three lines: code and what, where, hint", () => {
  const error = new SutureError("DISK_FULL", "no space left", { where: "/var/cache", hint: "make room" });
  expect(formatError(error)).toEqual(["DISK_FULL: no space left", "  /var/cache", "  make room"]);
});

test("a part that is not there has no line", () => {
  expect(formatError(new SutureError("INTERRUPTED", "stopped"))).toEqual(["INTERRUPTED: stopped"]);
  expect(formatProblem({ code: "X", what: "y", where: "", hint: "do z" })).toEqual(["X: y", "  do z"]);
});

test("further lines of a part are indented", () => {
  expect(formatProblem({ code: "X", what: "a\nb", where: "c\nd" })).toEqual(["X: a", "  b", "  c", "  d"]);
});

test("control characters of untrusted names do not reach the terminal", () => {
  expect(formatProblem({ code: "X", what: "symbol \x1b[2Jfoo\x9b\x00", where: "tab\there" })).toEqual([
    "X: symbol \\x1b[2Jfoo\\x9b\\x00",
    "  tab\there",
  ]);
});

test("an error that is none of ours is a defect, with the place it came from", () => {
  const problem = problemOf(new TypeError("x is not a function"));
  expect(problem).toMatchObject({ code: "INTERNAL", what: "x is not a function" });
  expect(problem.where).toContain("error.test.ts");
  expect(problemOf("a string").what).toBe("a string");
});
