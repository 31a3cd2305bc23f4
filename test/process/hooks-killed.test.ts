import { afterAll, expect, test } from "vitest";
import { VersionsProgram } from "./hooked-program.ts";
import { allThreadsGoOn, cleanedUp, killedToggling } from "./killed-command.ts";
import { PATCHED } from "./versions-patch.ts";

const program = new VersionsProgram();
afterAll(() => program[Symbol.dispose]());

const ROUNDS = 8;

test.each(["stop", "lazy", "hybrid"] as const)(
  "killed at a random moment of %s: the program goes on, and a fresh command finds the true state and undoes it",
  async (consistency) => {
    using run = program.run({ threads: 12, rounds: 40, resting: consistency === "stop" ? 12 : 10 });
    const original = PATCHED.map((name) => run.bytes(name));
    for (let round = 0; round < ROUNDS; round++) {
      await killedToggling(run, consistency, Math.random() * 60);
      await allThreadsGoOn(run);
      await cleanedUp(run, round % 2 === 0);
      expect(PATCHED.map((name) => run.bytes(name))).toEqual(original);
      expect(run.counts().mixed).toBe(0);
      expect(run.exit).toBeUndefined();
    }
  },
);
