import { expect, test } from "vitest";
import { INTERLEAVINGS, PATIENCE, tryInterleavings } from "./interleavings.ts";

test(
  `in ${INTERLEAVINGS} interleavings with kills the next command finds the true state`,
  async () => {
    const { kills, faults, forks } = await tryInterleavings(INTERLEAVINGS, 0.4);
    expect(kills).toBeGreaterThan(INTERLEAVINGS / 10);
    expect(faults).toBeGreaterThan(1000);
    expect(forks).toBeGreaterThan(1000);
  },
  PATIENCE,
);
