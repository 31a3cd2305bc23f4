/** What `install`, `uninstall`, `log` and `status` say of what lasts on a machine. */
import * as v from "valibot";
import { targetSchema } from "../../host/store/installed.ts";
import { installedResult } from "./loaded.ts";
import { count, problem } from "./problem.ts";

/** What became of each livepatch. `target` is what it is for. */
export const installDocument = v.object({
  results: v.array(
    v.object({
      name: v.string(),
      /** SHA-256 of the file. */
      digest: v.string(),
      target: targetSchema,
      outcome: v.picklist(["done", "unchanged", "refused"]),
      problems: v.array(problem),
      notes: v.array(v.string()),
    }),
  ),
});

/** What was done, the oldest first. */
const event = v.object({
  /** Milliseconds since 1970. */
  at: count,
  /** The kernel's boot id. */
  boot: v.string(),
  verb: v.string(),
  patch: v.string(),
  target: v.string(),
  outcome: v.string(),
  code: v.optional(v.string()),
  why: v.optional(v.string()),
  pids: v.array(count),
});

/** The history of livepatches on this machine. */
export const logDocument = v.object({ events: v.array(event) });

/** What became of each installed livepatch, in order. */
export const bootDocument = v.object({ installed: v.array(installedResult) });
