/** What is said of keys, signatures, and who signed what. */
import * as v from "valibot";
import { count, problem } from "./problem.ts";

/** SHA-256 of a public key, hexadecimal. */
const id = v.string();

/** A key that is trusted here, by its name. */
const trustedKey = v.object({ name: v.string(), id, path: v.string() });

/** A new pair: the paths of its two files. */
export const keyGenerateDocument = v.object({ key: v.object({ id, secret: v.string(), public: v.string() }) });
/** `directory` is where they are, a file each. */
export const keyListDocument = v.object({ directory: v.string(), keys: v.array(trustedKey) });
/** `unchanged`: it was trusted already, maybe by another name. */
export const keyTrustDocument = v.object({ outcome: v.picklist(["trusted", "unchanged"]), key: trustedKey });
/** The key that is not trusted any more. */
export const keyRemoveDocument = v.object({ removed: trustedKey });

/** Which livepatch a file is. */
const livepatch = v.object({
  kind: v.picklist(["kernel", "program"]),
  name: v.string(),
  /** `kernel RELEASE BUILDID`, or `program NAME BUILDID`. */
  targets: v.array(v.string()),
  /** 0 where it was not numbered. */
  version: count,
});

/** What was signed; nothing where anything was refused. */
export const signDocument = v.object({
  signed: v.array(
    v.object({
      file: v.string(),
      livepatch,
      /** The signature file, and the key that made it. */
      signature: v.optional(v.object({ path: v.string(), key: id })),
      /** Whether the kernel's own signature was appended to the file. */
      module: v.boolean(),
    }),
  ),
  problems: v.array(problem),
});

/** Of each file, who signed it, or why it is not trusted. */
export const verifyDocument = v.object({
  files: v.array(
    v.variant("kind", [
      v.object({
        kind: v.literal("trusted"),
        file: v.string(),
        livepatch,
        key: trustedKey,
        comment: v.optional(v.string()),
      }),
      v.object({ kind: v.literal("refused"), file: v.string(), problem }),
    ]),
  ),
});

/** Who signed what a verb was given: without a name where the key is not trusted. */
export const signedBy = v.object({ id, name: v.optional(v.string()) });
