/** What documents of several commands have in common. */
import * as v from "valibot";

/** A whole number that is not negative: bytes, ids, how many of something. */
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** An error, or a refusal. */
export const problem = v.object({
  /** docs/errors.md, or a page with refusals, says what it means. */
  code: v.string(),
  what: v.string(),
  where: v.optional(v.string()),
  hint: v.optional(v.string()),
  kind: v.optional(v.literal("refusal")),
});

/** What cannot be patched, and why, without the `kind` that a program tells refusals by. */
export const refusal = v.object({ code: v.string(), what: v.string(), where: v.string(), hint: v.string() });

/** What every command prints that ends with an error. */
export const errorDocument = v.object({ error: problem });
