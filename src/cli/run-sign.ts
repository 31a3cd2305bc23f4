/** Signs livepatch files. */
import { readSecretKey } from "../host/trust/key.ts";
import { signaturePath } from "../host/trust/policy.ts";
import { signLivepatch } from "../host/trust/sign.ts";
import { isComment } from "../host/trust/statement.ts";
import { EXIT } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { checkOutput, replaceFile } from "../lib/replace-file.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { describeLivepatch } from "./trust-report.ts";
import { usage } from "./usage.ts";

/** What was typed. */
export interface SignChoice {
  /** Path of the secret key. */
  readonly key: string;
  readonly comment: string | undefined;
}

/** All signatures are made before the first one is written. Throws what reading, signing and writing throw. */
export async function runSign(
  paths: readonly string[],
  { key, comment }: SignChoice,
  { signal }: Context,
): Promise<Outcome<Json<"sign">>> {
  if (comment !== undefined && !isComment(comment))
    throw usage("--comment takes one line of at most 200 characters, all of them printable", "sign");
  const secret = await readSecretKey(key, signal);
  const made: { readonly said: Json<"sign">["signed"][number]; readonly signature: Buffer; readonly path: string }[] =
    [];
  for (const file of paths) {
    const data = await readGivenFile(file, { signal });
    const path = signaturePath(file);
    await checkOutput(path, [...paths, key]);
    const { livepatch, signature } = signLivepatch(data, file, secret, comment);
    made.push({ said: { file, livepatch, signature: { path, key: secret.id } }, signature, path });
  }
  for (const { path, signature } of made) await replaceFile(path, signature);
  return {
    exit: EXIT.done,
    json: { signed: made.map(({ said }) => said), problems: [] },
    lines: made.map(({ said: { livepatch }, path }) => `${path}: ${describeLivepatch(livepatch)}`),
  };
}
