import { expect, test } from "vitest";
import { RehearsalStages } from "./rehearsal-stages.ts";

test("each boot has a line, with the number of its step, cut to the terminal", () => {
  const stages = new RehearsalStages();
  stages.at("targets first", "boot");
  stages.at("livepatch first", "boot");
  const { lines, line } = stages.at("targets first", "load livepatch_fix");
  expect(line).toBe("targets first, step 2: load livepatch_fix; livepatch first, step 1: boot");
  expect(lines(80, 24)).toEqual(["targets first, step 2: load livepatch_fix", "livepatch first, step 1: boot"]);
  expect(lines(16, 24)).toEqual(["targets first, ", "livepatch first"]);
});
