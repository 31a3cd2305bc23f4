/** Main functions of a module's threads, told by its unit's own code. */
import { expect, test } from "vitest";
import { compared } from "../../diff/compiled.fixture.ts";
import { transitionNotesOf } from "./waiting-threads.ts";

const SOURCE = `
  extern void *kthread_create_on_node(int (*)(void *), void *, int, const char *, ...);
  extern void hand(int (*)(void *)), wait(void);
  static int loop(void *data) { while (outside(1)) wait(); return 3; }
  static int compared_with(void *data) { return outside(2) + 3; }
  noinline int helper(int a) { return outside(a) + 3; }
  int start(int a) {
    hand(compared_with);
    return kthread_create_on_node(loop, NULL, helper(a), "name") != NULL;
  }
`;

function named(patched: string): string[] {
  return transitionNotesOf(compared(SOURCE, patched).diff).map(({ code, text }) => `${code} ${text.split(" ", 1)[0]}`);
}

test("a function that is handed to who creates threads is told, and no other", () => {
  expect(named(SOURCE.replaceAll("3", "4"))).toEqual(["TRANSITION_MAY_NOT_END loop"]);
  expect(named(SOURCE.replace("outside(2) + 3", "outside(2) + 4"))).toEqual([]);
});
