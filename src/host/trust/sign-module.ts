/** Signs a kernel's livepatch as the kernel's build signs modules (scripts/sign-file), by openssl. */
import { run } from "../../lib/run.ts";
import { isSigned, withModuleSignature } from "../../patch/module-signature.ts";
import { type OwnRefusal, refusal } from "../../patch/refusal.ts";

/** Files, in PEM. */
export interface ModuleKey {
  /** A secret key; what unlocks it is in KBUILD_SIGN_PIN, as for the kernel's build. */
  readonly key: string;
  readonly certificate: string;
}

/** The variable of the kernel's build that unlocks a key. */
const PIN = "KBUILD_SIGN_PIN";

/**
 * The module with its signature at the end. Refusals are `ALREADY_SIGNED`: the kernel looks at the
 * last signature alone, and takes the one before for a part of the module.
 *
 * Throws `PROGRAM_MISSING` and `PROGRAM_FAILED`, with what openssl says.
 */
export async function signModule(
  module: { readonly path: string; readonly data: Buffer },
  { key, certificate }: ModuleKey,
  signal?: AbortSignal,
): Promise<Buffer | OwnRefusal> {
  const { path, data } = module;
  if (isSigned(data))
    return refusal(
      "ALREADY_SIGNED",
      "the module has a signature, and a second one would hide it",
      path,
      "sign the file as it was built",
    );
  const unlock = process.env[PIN] === undefined ? "pass:" : `env:${PIN}`;
  const what = ["cms", "-sign", "-binary", "-noattr", "-nocerts", "-md", "sha256", "-outform", "DER"];
  const by = ["-signer", certificate, "-inkey", key, "-passin", unlock];
  const { bytes } = await run("openssl", [...what, ...by], { input: data, signal, check: true });
  return withModuleSignature(data, bytes);
}
