/** Makes the signature file of a livepatch. */
import { createHash, sign } from "node:crypto";
import { readLoadable } from "../../targets/loadable.ts";
import type { SecretKey } from "./key.ts";
import { type LivepatchIdentity, livepatchIdentity } from "./livepatch-identity.ts";
import { signatureLine, statementText } from "./statement.ts";

/** A signature file that can be written beside the livepatch. */
export interface Signed {
  readonly livepatch: LivepatchIdentity;
  readonly signature: Buffer;
}

/**
 * The same file, key and comment give the same bytes. Throws what `readLoadable` and `livepatchIdentity` throw.
 * @param comment one that `isComment` lets pass
 */
export function signLivepatch(data: Buffer, path: string, { id, key }: SecretKey, comment: string | undefined): Signed {
  const livepatch = livepatchIdentity(readLoadable(data, path));
  const { name, targets, version } = livepatch;
  const sha256 = createHash("sha256").update(data).digest("hex");
  const text = statementText({ key: id, name, targets, version, size: data.length, sha256, comment });
  const signature = sign(null, Buffer.concat([text, data]), key);
  return { livepatch, signature: Buffer.concat([text, signatureLine(signature)]) };
}
