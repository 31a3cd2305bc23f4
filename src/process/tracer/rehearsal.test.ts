import { expect, test } from "vitest";
import { look, NO_TRACEE, wait } from "../os/linux.ts";
import { onThrowAwayProcess } from "./rehearsal.ts";

test("a throw-away process is no more afterwards", () => {
  let seen = 0;
  onThrowAwayProcess((pid) => {
    seen = pid;
  });
  expect(seen).toBeGreaterThan(0);
  expect(look(seen, false)).toBe(NO_TRACEE);
});

test("one that has ended by itself, and that was waited for, is not ended again: its id may be any process's", () => {
  const rehearsed = () =>
    onThrowAwayProcess((pid) => {
      process.kill(pid, "SIGKILL");
      wait(pid, true);
    });
  expect(rehearsed).not.toThrow();
});
