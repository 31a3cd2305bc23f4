import { expect, test } from "vitest";
import { INTERLEAVINGS, PATIENCE, tryInterleavings } from "./interleavings.ts";

test(
  `in ${INTERLEAVINGS} interleavings no task sees a mixture, and none is left behind`,
  async () => {
    const { outcomes } = await tryInterleavings(INTERLEAVINGS, 0);
    for (const what of ["load", "disable", "enable", "resume", "reverse", "force", "unload", "object"])
      expect(outcomes[`${what}: done`], what).toBeGreaterThan(0);
    for (const what of ["load", "disable", "enable"]) {
      expect(outcomes[`${what}: reversed`], what).toBeGreaterThan(100);
      expect(outcomes[`${what}: pending`], what).toBeGreaterThan(100);
    }
  },
  PATIENCE,
);
