/** Signs livepatch files. */
import { existsSync } from "node:fs";
import { readSecretKey } from "../host/trust/key.ts";
import { livepatchIdentity } from "../host/trust/livepatch-identity.ts";
import { signaturePath } from "../host/trust/policy.ts";
import { signLivepatch } from "../host/trust/sign.ts";
import { type ModuleKey, signModule } from "../host/trust/sign-module.ts";
import { isComment } from "../host/trust/statement.ts";
import { EXIT } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { checkOutput, replaceFile } from "../lib/replace-file.ts";
import { type OwnRefusal, refusal } from "../patch/refusal.ts";
import { readLoadable } from "../targets/loadable.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { describeLivepatch } from "./trust-report.ts";
import { usage } from "./usage.ts";

/** What was typed; at least one of the keys is given. */
export interface SignChoice {
  /** Path of the secret key for signature files. */
  readonly key: string | undefined;
  readonly comment: string | undefined;
  /** For the kernel's own signatures. */
  readonly module: ModuleKey | undefined;
}

interface Output {
  readonly path: string;
  readonly data: Buffer;
}

/** What is to be written for one file, and what is said of it. */
interface Made {
  readonly said: Json<"sign">["signed"][number];
  readonly outputs: readonly Output[];
}

/** All signatures are made before the first one is written. Throws what reading, signing and writing throw. */
export async function runSign(
  paths: readonly string[],
  choice: SignChoice,
  { signal }: Context,
): Promise<Outcome<Json<"sign">>> {
  const { key, comment } = choice;
  if (comment !== undefined && !isComment(comment))
    throw usage("--comment takes one line of at most 200 characters, all of them printable", "sign");
  const secret = key === undefined ? undefined : await readSecretKey(key, signal);
  const made: Made[] = [];
  const problems: OwnRefusal[] = [];
  for (const path of paths) {
    const data = await readGivenFile(path, { signal });
    const signed = choice.module === undefined ? data : await moduleOf({ path, data }, choice.module, signal);
    if (!Buffer.isBuffer(signed)) {
      problems.push(signed);
      continue;
    }
    const outputs: Output[] = choice.module === undefined ? [] : [{ path, data: signed }];
    const livepatch = livepatchIdentity(readLoadable(signed, path));
    const said = { file: path, livepatch, module: choice.module !== undefined };
    if (secret === undefined) {
      made.push({ said, outputs });
      continue;
    }
    const beside = signaturePath(path);
    await checkOutput(beside, [...paths, key as string]);
    outputs.push({ path: beside, data: signLivepatch({ path, data: signed }, secret, comment) });
    made.push({ said: { ...said, signature: { path: beside, key: secret.id } }, outputs });
  }
  if (problems.length > 0) return { exit: EXIT.refused, json: { signed: [], problems }, lines: [], problems };
  for (const { path, data } of made.flatMap(({ outputs }) => outputs)) await replaceFile(path, data);
  return {
    exit: EXIT.done,
    json: { signed: made.map(({ said }) => said), problems },
    lines: made.flatMap(madeLines),
  };
}

/** A signature file that was there before is of the file without the kernel's signature. */
function madeLines({ said: { file, livepatch, signature }, outputs }: Made): string[] {
  const isStale = signature === undefined && existsSync(signaturePath(file));
  return [
    ...outputs.map(({ path }) => `${path}: ${describeLivepatch(livepatch)}`),
    ...(isStale ? [`${signaturePath(file)} is of the file as it was before: sign it again, with --key`] : []),
  ];
}

async function moduleOf(file: Output, key: ModuleKey, signal: AbortSignal): Promise<Buffer | OwnRefusal> {
  if (readLoadable(file.data, file.path).kind === "kernel") return await signModule(file, key, signal);
  const what = "only the kernel looks at a kernel's signature, and this livepatch is for a program";
  return refusal("NOT_A_MODULE", what, file.path, "leave out --kernel-key, and sign it with --key");
}
