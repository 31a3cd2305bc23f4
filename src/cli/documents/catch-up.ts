/** What `catch-up` says: each fix by its name, and what became of it. */
import * as v from "valibot";
import { verbResult } from "./loaded.ts";
import { count, problem } from "./problem.ts";

/** One fix. */
const fix = v.object({
  /** Of its patch, or its first one. */
  name: v.string(),
  subject: v.optional(v.string()),
  cves: v.array(v.string()),
  /**
   * `live`: all of it is in force everywhere. `ready`: nothing was loaded, and it could be. `waits`: for a
   * restart, or a reboot; `problem` says why. `not-concerned`: it changes nothing of what runs.
   */
  state: v.picklist(["live", "ready", "waits", "not-concerned"]),
  problem: v.optional(problem),
  /** Names of others that it needs. */
  needs: v.array(v.string()),
});

/** What runs and is not the newest, and what it can get without a restart. */
export const catchUpDocument = v.object({
  systems: v.array(
    v.object({
      kind: v.picklist(["program", "kernel"]),
      /** A source package, a file, or `Linux` and a release. */
      name: v.string(),
      /** The version that runs, where it has a number. */
      from: v.optional(v.string()),
      /** The newest one; not there for a series that was given. */
      to: v.optional(v.string()),
      /** Paths of its files that run. */
      files: v.array(v.string()),
      pids: v.array(count),
      fixes: v.array(fix),
      /** A livepatch of all fixes that are live, or ready. */
      livepatch: v.optional(v.object({ name: v.string(), path: v.string() })),
      /** What else differs, and has no boundaries by which it could be told apart. */
      unnamed: v.array(problem),
      /** How many sets of fixes were tried. */
      tries: count,
      /** What the load did in the kernel, or in each process; none where nothing was loaded. */
      results: v.array(verbResult),
    }),
  ),
  /** Packages of which nothing older than the newest version runs. */
  upToDate: v.array(v.object({ package: v.string(), version: v.string(), pids: v.array(count) })),
  /** Builds of which it is not known which version they are. */
  unknown: v.array(v.object({ package: v.string(), paths: v.array(v.string()), pids: v.array(count), problem })),
  dryRun: v.boolean(),
  hidden: count,
});
