/** Whether a livepatch file may be taken in at all, by who signed it and by its version. */
import { createHash, verify } from "node:crypto";
import { type OwnRefusal, refusal } from "../../patch/refusal.ts";
import { type Loadable, readLoadable } from "../../targets/loadable.ts";
import { type LivepatchIdentity, livepatchIdentity } from "./livepatch-identity.ts";
import { parseSignature, type SignatureFile } from "./statement.ts";
import type { TrustedKey } from "./trusted-keys.ts";

/** Bytes that were read; no path is looked at again. */
export interface GivenLivepatch {
  /** For messages. */
  readonly path: string;
  readonly data: Buffer;
  /** All of the signature file; undefined where there is none. */
  readonly signature: Buffer | undefined;
}

/** What has to hold. */
export interface TrustPolicy {
  /** Refuse what no trusted key has signed. A signature that is there and is wrong is refused in any case. */
  readonly requireSignatures: boolean;
  readonly keys: readonly TrustedKey[];
  /** The version of the livepatch of that name that is installed, or loaded, now; undefined where there is none. */
  readonly versionNow?: ((livepatch: LivepatchIdentity) => number | undefined) | undefined;
  /** Take an older version than that. */
  readonly allowOlder?: boolean | undefined;
}

/** The livepatch as it was read, and what it says that it is. */
interface Admitted {
  readonly livepatch: LivepatchIdentity;
  readonly loadable: Loadable;
}

/** `unsigned`: allowed, since no signature is required; `signedBy` is the id of a key that is not trusted. */
export type Trust =
  | (Admitted & { readonly kind: "trusted"; readonly key: TrustedKey; readonly comment: string | undefined })
  | (Admitted & { readonly kind: "unsigned"; readonly signedBy: string | undefined })
  | { readonly kind: "refused"; readonly refusal: OwnRefusal };

/**
 * Looks at the signature first: of a file that has to be signed nothing else is read before its
 * signature was found right. Refusals are `UNSIGNED_LIVEPATCH`, `UNKNOWN_KEY`, `SIGNATURE_WRONG`,
 * `SIGNATURE_MALFORMED`, `NEWER_FORMAT` and `OLDER_VERSION`.
 *
 * Throws what `readLoadable` and `livepatchIdentity` throw, where the signature is right or is not asked for, and
 * the file is no livepatch.
 */
export function judgeLivepatch(given: GivenLivepatch, policy: TrustPolicy): Trust {
  const { path, data } = given;
  const signature = readSignature(given);
  if (signature !== undefined && "refusal" in signature) return { kind: "refused", refusal: signature.refusal };
  const key = policy.keys.find(({ id }) => id === signature?.statement.key);
  const why =
    (signature === undefined ? undefined : wrongSignature(given, signature, key)) ??
    (policy.requireSignatures && key === undefined ? notSigned(given, signature) : undefined);
  if (why !== undefined) return { kind: "refused", refusal: why };
  const loadable = readLoadable(data, path);
  const livepatch = livepatchIdentity(loadable);
  const untrue =
    (signature === undefined ? undefined : otherLivepatch(given, signature, livepatch)) ??
    olderVersion(given, livepatch, policy);
  if (untrue !== undefined) return { kind: "refused", refusal: untrue };
  if (key !== undefined) return { kind: "trusted", key, livepatch, loadable, comment: signature?.statement.comment };
  return { kind: "unsigned", livepatch, loadable, signedBy: signature?.statement.key };
}

function readSignature({
  path,
  signature,
}: GivenLivepatch): SignatureFile | { readonly refusal: OwnRefusal } | undefined {
  if (signature === undefined) return undefined;
  const parsed = parseSignature(signature);
  switch (parsed.kind) {
    case "signature":
      return parsed.file;
    case "malformed": {
      const what = `the signature file of a livepatch cannot be read: ${parsed.why}`;
      return { refusal: refusal("SIGNATURE_MALFORMED", what, `${path}.sig`, AGAIN) };
    }
    case "newer": {
      const what = `the signature file of a livepatch is of version ${parsed.version}; this suture knows version 1`;
      const hint = "use the suture that wrote it, or a newer one";
      return { refusal: refusal("NEWER_FORMAT", what, `${path}.sig`, hint) };
    }
  }
}

/** What can be told without the key is told of a key that is not trusted, too: the file is not the one that was signed. */
function wrongSignature(
  { path, data }: GivenLivepatch,
  { statement, text, signature }: SignatureFile,
  key: TrustedKey | undefined,
): OwnRefusal | undefined {
  if (statement.size !== data.length || statement.sha256 !== createHash("sha256").update(data).digest("hex"))
    return refusal(
      "SIGNATURE_WRONG",
      `the livepatch is not the file that was signed as ${statement.name}`,
      path,
      AGAIN,
    );
  if (key === undefined || verify(null, Buffer.concat([text, data]), key.key, signature)) return undefined;
  const what = `the key ${key.name} did not sign this: the signature file, or the livepatch, is not as it was`;
  return refusal("SIGNATURE_WRONG", what, `${path}.sig`, AGAIN);
}

function notSigned({ path }: GivenLivepatch, signature: SignatureFile | undefined): OwnRefusal {
  if (signature === undefined)
    return refusal(
      "UNSIGNED_LIVEPATCH",
      "the livepatch is not signed, and this machine takes signed ones alone",
      `no ${path}.sig`,
      "sign it: suture sign FILE --key KEY; or get the signature file that belongs to it",
    );
  return refusal(
    "UNKNOWN_KEY",
    "the livepatch is signed by a key that is not trusted here",
    `${path}.sig: key ${signature.statement.key}`,
    "if its owner is to be trusted: suture key trust FILE, with the public key, by a way that is sure",
  );
}

/** Whoever signed may have been shown another livepatch than the one that would be loaded. */
function otherLivepatch(
  { path }: GivenLivepatch,
  { statement }: SignatureFile,
  { name, targets, version }: LivepatchIdentity,
): OwnRefusal | undefined {
  const says = [statement.name, statement.version, ...statement.targets].join(", ");
  const is = [name, version, ...targets].join(", ");
  if (says === is) return undefined;
  const what = "the signature file says that it is about another livepatch than the file is";
  return refusal("SIGNATURE_WRONG", what, `${path}.sig: ${says}; ${path}: ${is}`, AGAIN);
}

function olderVersion(
  { path }: GivenLivepatch,
  livepatch: LivepatchIdentity,
  { versionNow, allowOlder = false }: TrustPolicy,
): OwnRefusal | undefined {
  const now = versionNow?.(livepatch);
  if (allowOlder || now === undefined || livepatch.version >= now) return undefined;
  const what = `version ${now} of ${livepatch.name} is here, and the file is version ${livepatch.version}`;
  return refusal(
    "OLDER_VERSION",
    what,
    path,
    "an older one brings back what the newer one has fixed: --older takes it",
  );
}

const AGAIN = "get both again from who made them; whoever has the key can sign again: suture sign FILE --key KEY";
