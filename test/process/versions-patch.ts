import type { Patch } from "../../src/core/patch.ts";
import type { RunningVersions } from "./hooked-program.ts";

export const PATCHED = ["f", "g", "h"] as const;

/** The patch that puts f_new in the place of f, and so on; both versions are in the program already. */
export function versionsPatch(run: RunningVersions): Patch {
  const funcs = PATCHED.map((name) => ({ site: run.site(name), code: run.code(`${name}_new`) }));
  const object = { name: "versions", callbacks: {}, code: [], funcs };
  return { name: "versions-patch", replace: false, states: [], absent: [], objects: [object] };
}
