/** What `install`, `uninstall`, `log` and `status` say of what lasts on a machine. */
import * as v from "valibot";
import { targetSchema } from "../../host/store/installed.ts";
import { installedResult, newer } from "./loaded.ts";
import { count, problem } from "./problem.ts";
import { signedBy } from "./trust.ts";

/** What became of each livepatch. `target` is what it is for. */
export const installDocument = v.object({
  results: v.array(
    v.object({
      name: v.string(),
      /** SHA-256 of the file. */
      digest: v.string(),
      /** Not there where nothing of the file was believed. */
      target: v.optional(targetSchema),
      outcome: v.picklist(["done", "unchanged", "refused"]),
      problems: v.array(problem),
      notes: v.array(v.string()),
      signedBy: v.optional(signedBy),
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

/** The machine at one moment. */
export const statusDocument = v.object({
  /** `Linux`, and its release. */
  kernel: v.string(),
  /** What is loaded: each livepatch once for the kernel, and once for each program and state. */
  live: v.array(
    v.object({
      name: v.string(),
      where: v.string(),
      kind: v.picklist(["kernel", "program"]),
      state: v.picklist(["enabled", "enabling", "disabling", "disabled", "replaced", "unloaded"]),
      forced: v.boolean(),
      pids: v.array(count),
      /** Tasks of the kernel that hold a transition up. */
      holders: v.array(v.object({ tid: count, name: v.string(), why: v.string() })),
    }),
  ),
  /** In the order in which a boot loads them; not there where it may not be known. */
  installed: v.optional(
    v.array(
      v.object({
        name: v.string(),
        digest: v.string(),
        target: targetSchema,
        version: count,
        at: count,
        state: v.picklist(["live", "partly", "not-loaded", "idle", "other-kernel", "not-needed", "left-out"]),
        /** Whether a reboot of this kernel, or the next start of the program, has it again. */
        atBoot: v.boolean(),
        /** How many processes run what it is for; `without` it are those. */
        processes: count,
        without: v.array(count),
        /** Files on disk that are another build by now. */
        replaced: v.array(v.string()),
        why: v.optional(v.string()),
      }),
    ),
  ),
  /** Why it is not known what is installed. */
  unknown: v.optional(problem),
  /** Of what runs as an older version, as far as `catch-up` has looked. */
  fixes: v.optional(
    v.array(
      v.object({
        kind: v.picklist(["program", "kernel"]),
        name: v.string(),
        from: v.optional(v.string()),
        live: count,
        waiting: count,
        /** Processes in which the livepatch is not in effect. */
        without: v.array(count),
        /** All of these, by name; with the code of one that was left out of the livepatch. */
        each: v.optional(v.array(v.object({ name: v.string(), live: v.boolean(), code: v.optional(v.string()) }))),
      }),
    ),
  ),
  /** The last time that a livepatch did harm. */
  harm: v.optional(event),
  newer: v.array(newer),
  damaged: v.array(v.object({ pid: count, code: v.string(), what: v.string() })),
  hidden: count,
});

/** Where the monitor's page is. */
export const monitorDocument = v.object({ url: v.string() });

/** It has ended as it was told to. */
export const daemonDocument = v.object({});
