/** What `build`, `explain`, `object-diff` and `audit` say of a livepatch. */
import * as v from "valibot";
import { leftOutSchema, noteSchema } from "../../patch/metadata-section.ts";
import { kernelMetadataSchema } from "../../patch/read-metadata.ts";
import { programMetadataSchema } from "../../patch/read-program-metadata.ts";
import { count, problem, refusal } from "./problem.ts";

/** What a livepatch says of itself; `version` is its format's. */
export const explainDocument = v.union([programMetadataSchema, kernelMetadataSchema]);

const ofOne = [
  v.object({
    kind: v.literal("built"),
    path: v.string(),
    metadata: explainDocument,
    /** By step. */
    seconds: v.record(v.string(), v.number()),
  }),
  v.object({
    kind: v.literal("refused"),
    refusals: v.array(v.object({ kind: v.literal("refusal"), ...refusal.entries })),
    leftOut: v.array(leftOutSchema),
  }),
  v.object({ kind: v.literal("no-change"), notes: v.array(noteSchema) }),
] as const;

/** A `LivepatchResult`, of a kernel's livepatch or of a program's; or one for each of several kernels. */
export const buildDocument = v.variant("kind", [
  ...ofOne,
  v.object({
    kind: v.literal("kernels"),
    kernels: v.array(
      v.object({
        release: v.string(),
        result: v.optional(v.variant("kind", ofOne)),
        /** In place of a result. */
        error: v.optional(problem),
      }),
    ),
  }),
]);

/** An `ObjectDiffReport`. */
export const objectDiffDocument = v.object({
  changed: v.array(v.object({ name: v.string(), why: v.string() })),
  new: v.array(v.string()),
  refusals: v.array(refusal),
  notes: v.array(noteSchema),
  leftOut: v.array(refusal),
});

/** An `Audit`. */
export const auditDocument = v.object({
  kind: v.literal("audited"),
  livepatch: v.string(),
  units: v.array(v.string()),
  accounted: v.array(
    v.object({
      source: v.string(),
      kind: v.string(),
      of: v.string(),
      name: v.string(),
      section: v.string(),
      reason: v.string(),
      why: v.string(),
    }),
  ),
  findings: v.array(
    v.object({
      source: v.string(),
      kind: v.picklist(["unaccounted", "idle", "other-code", "not-in-effect"]),
      name: v.string(),
      section: v.string(),
      what: v.string(),
    }),
  ),
});

/** A ready kernel. */
const kernel = v.object({
  release: v.string(),
  version: v.string(),
  buildId: v.string(),
  compiler: v.string(),
  directory: v.string(),
  bytes: count,
});

/** The kernel that is ready now, and the seconds that it took to make it so. */
export const kernelFetchDocument = v.object({ kernel: v.object({ ...kernel.entries, seconds: v.number() }) });
/**
 * Every kernel that is ready, in no order that means anything. With --available, those that the distribution
 * ships too, and the parts of its archive that could not be looked at.
 */
export const kernelListDocument = v.object({
  kernels: v.array(kernel),
  available: v.optional(
    v.array(
      v.object({
        release: v.string(),
        version: v.string(),
        suites: v.array(v.string()),
        /** plain, cloud, rt. */
        flavour: v.string(),
        ready: v.boolean(),
        /** Why it cannot be made ready; not there where it can. */
        missing: v.optional(v.string()),
      }),
    ),
  ),
  dropped: v.optional(v.array(v.object({ suite: v.string(), why: v.string() }))),
});
/** The release that is gone. */
export const kernelRemoveDocument = v.object({ removed: v.string() });

/** What is ready, one of both: `tree` is the folder that diffs are made against. */
export const sourceDocument = v.object({
  source: v.optional(
    v.object({
      name: v.string(),
      version: v.string(),
      tree: v.string(),
      /** How many compiles were noted. */
      compiles: count,
      /** What ships of it. */
      files: v.array(v.string()),
    }),
  ),
  kernel: v.optional(v.object({ release: v.string(), version: v.string(), tree: v.string() })),
});

/** The script, and the shell that it is for; or words, with what each means. */
export const completionDocument = v.union([
  v.object({ shell: v.string(), script: v.string() }),
  v.object({ words: v.array(v.object({ word: v.string(), meaning: v.string() })) }),
]);
