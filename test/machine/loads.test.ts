/** Loads, replaces and unloads in a row in a real Debian system that works meanwhile. */
import { expect, inject, test } from "vitest";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { isLong } from "../long.ts";
import { resumed } from "./frozen-machine.ts";
import { grown, loadsInARow } from "./loads-in-a-row.ts";

test.runIf(isLong)("they leave nothing behind, the kernel has nothing to say, and the work goes on", async () => {
  await using directory = await temporaryDirectory();
  await using machine = await resumed(inject("installed"), directory.path);
  const seen = await loadsInARow(machine, directory.path, 10);
  expect(seen).toMatchObject({ wrong: [], findings: [] });
  expect(grown(seen)).toEqual([]);
  for (const rounds of Object.values(seen.work)) expect(rounds).toBeGreaterThan(0);
});
