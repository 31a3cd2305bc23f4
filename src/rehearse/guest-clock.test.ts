import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { GuestClock } from "./guest-clock.ts";

test("goes on while the program has nothing to do, and begins again", async () => {
  const program = spawn("sleep", ["1000"]);
  await once(program, "spawn");
  let looks = 0;
  const clock = await new Promise<GuestClock>((resolve) => {
    const each = new GuestClock(program.pid ?? 0, () => {
      looks++;
      if (each.seconds > 1) resolve(each);
    });
  });
  expect(looks).toBeGreaterThanOrEqual(2);
  clock.restart();
  expect(clock.seconds).toBe(0);
  clock[Symbol.dispose]();
  program.kill("SIGKILL");
});
