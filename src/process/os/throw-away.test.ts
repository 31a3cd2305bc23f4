import { expect, test } from "vitest";
import { onThrowAwayProcess } from "./throw-away.ts";
import { look, wait } from "./wait.ts";

test("a throw-away process is no more afterwards", () => {
  let seen = 0;
  onThrowAwayProcess((pid) => {
    seen = pid;
  });
  expect(seen).toBeGreaterThan(0);
  expect(look(seen, false).kind).toBe("no-tracee");
});

test("one that has ended by itself, and that was waited for, is not ended again: its id may be any process's", () => {
  const tried = () =>
    onThrowAwayProcess((pid) => {
      process.kill(pid, "SIGKILL");
      wait(pid, true);
    });
  expect(tried).not.toThrow();
});
