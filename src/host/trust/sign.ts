/** Makes the signature file of a livepatch. */
import { createHash, sign } from "node:crypto";
import { readLoadable } from "../../targets/loadable.ts";
import type { SecretKey } from "./key.ts";
import { livepatchIdentity } from "./livepatch-identity.ts";
import { signatureLine, statementText } from "./statement.ts";

/**
 * All of the signature file. The same file, key and comment give the same bytes. Throws what
 * `readLoadable` and `livepatchIdentity` throw.
 *
 * @param comment one that `isComment` lets pass
 */
export function signLivepatch(
  { path, data }: { readonly path: string; readonly data: Buffer },
  { id, key }: SecretKey,
  comment: string | undefined,
): Buffer {
  const { name, targets, version } = livepatchIdentity(readLoadable(data, path));
  const sha256 = createHash("sha256").update(data).digest("hex");
  const text = statementText({ key: id, name, targets, version, size: data.length, sha256, comment });
  return Buffer.concat([text, signatureLine(sign(null, Buffer.concat([text, data]), key))]);
}
