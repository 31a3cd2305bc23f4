import { afterAll, describe, expect, test } from "vitest";
import { VersionsProgram } from "./hooked-program.ts";
import { disturbed, EVENTS } from "./restless.ts";

const program = new VersionsProgram();
afterAll(() => program[Symbol.dispose]());

const ROUNDS = 1;
const LONGEST_MS = 40;

describe.each(["stop", "lazy", "hybrid"] as const)("patched by %s, with the command killed a moment later", (model) => {
  test.each(EVENTS)("a program is right after %s", async (event) => {
    for (let round = 0; round < ROUNDS; round++) {
      const times = [Math.random() * LONGEST_MS, Math.random() * LONGEST_MS] as const;
      expect(await disturbed(program, model, event, times)).toBeTypeOf("string");
    }
  });
});
