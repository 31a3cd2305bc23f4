import { expect, test } from "vitest";
import { refusal } from "../../patch/refusal.ts";
import { withCommands } from "./core-advice.ts";

test("what the core refuses names the command that helps", () => {
  const pending = refusal("TRANSITION_PENDING", "the transition of fix has not ended", "fix", "in words");
  expect(withCommands(pending)).toMatchObject({ hint: expect.stringContaining("suture disable fix"), where: "fix" });
});

test("where no command helps the core's own words stay", () => {
  const twice = refusal("FUNC_TWICE", "it has two versions of a function", "fix", "build it again");
  expect(withCommands(twice)).toBe(twice);
});
