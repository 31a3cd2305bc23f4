/** What `rehearse` says of what a livepatch did in a virtual machine. */
import * as v from "valibot";
import { refusal } from "./problem.ts";

const boot = v.picklist(["targets first", "livepatch first"]);
const seconds = v.number();

/** A `RehearsalResult`. */
export const rehearseDocument = v.variant("kind", [
  v.object({
    kind: v.literal("rehearsed"),
    livepatch: v.string(),
    release: v.string(),
    ok: v.boolean(),
    boots: v.array(v.object({ kind: boot, seconds, log: v.string() })),
    steps: v.array(
      v.object({
        boot,
        name: v.string(),
        ok: v.boolean(),
        seconds,
        detail: v.optional(v.string()),
        output: v.optional(v.string()),
      }),
    ),
    transitions: v.array(v.object({ boot, direction: v.picklist(["patching", "unpatching"]), seconds })),
    transitionSeconds: v.optional(seconds),
    objects: v.array(
      v.object({
        name: v.string(),
        targetLoads: v.boolean(),
        targetError: v.optional(v.string()),
        patchedBefore: v.optional(v.boolean()),
        patchedAfter: v.optional(v.boolean()),
      }),
    ),
    findings: v.array(
      v.object({ kind: v.string(), line: v.string(), context: v.array(v.string()), boot, step: v.string() }),
    ),
    uptimeContinues: v.boolean(),
    lost: v.optional(v.object({ boot, step: v.string(), what: v.string() })),
    seconds,
  }),
  v.object({
    kind: v.literal("refused"),
    refusal: v.object({ kind: v.literal("refusal"), ...refusal.entries }),
  }),
]);
