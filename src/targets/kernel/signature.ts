/** Who would refuse a module for its signature, and which key is missing. */
import { join } from "node:path";
import type { LivepatchFile } from "../../patch/livepatch-file.ts";
import { moduleSignature } from "../../patch/module-signature.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { releaseOf } from "./identity.ts";
import { builtInCertificates } from "./signing/built-in-certificates.ts";
import { type Certificate, isOf, type Signer, signerOf } from "./signing/certificate.ts";
import { firmwareCertificates } from "./signing/firmware-certificates.ts";
import { type KernelKey, kernelKeys } from "./signing/kernel-keys.ts";
import { readIfThere } from "./sysfs.ts";

/** At most one of them. */
export interface SignatureFindings {
  /** Why the kernel would not take the livepatch in. */
  readonly problem?: Refusal;
  /** That this could not be told. */
  readonly notProved?: string;
}

/**
 * Whether the kernel would take the livepatch in, by who signed it; `root` is the root of the file
 * system. That a key is missing is said only where each key that the kernel has is known to be
 * another one: a name alone tells no key.
 */
export async function signatureFindings(root: string, { name, data }: LivepatchFile): Promise<SignatureFindings> {
  const enforcer = await enforcerOf(root);
  if (enforcer === undefined) return {};
  const signature = moduleSignature(data);
  if (signature === undefined)
    return unsigned(`this kernel takes in signed modules only, and ${name} has no signature`, enforcer);
  const signer = signerOf(signature);
  if (signer === undefined)
    return unsigned(`nobody can tell who signed ${name}: its signature cannot be read`, enforcer);
  const by = describe(signer);
  switch (await lookedFor(root, signer)) {
    case "there":
      return {};
    case "unsure":
      return { notProved: `whether the kernel has the key that signed ${name} (${by}): not all of its keys are known` };
    case "missing": {
      const what = `the kernel does not trust the key that signed ${name}, and takes in no module without`;
      return { problem: refusal("KERNEL_KEY_MISSING", what, `${enforcer}; the key is ${by}`, ENROL) };
    }
  }
}

function unsigned(what: string, enforcer: string): SignatureFindings {
  return { problem: refusal("UNSIGNED", what, enforcer, SIGN) };
}

const SIGN = "sign it with a key that the kernel trusts: suture sign FILE --kernel-key KEY --certificate CERT";
const ENROL =
  "with Secure Boot and shim: mokutil --import CERT.der, restart, and confirm it on the console; or sign it with a key that the kernel has";

/** What has the kernel refuse modules; undefined where nothing does. */
async function enforcerOf(root: string): Promise<string | undefined> {
  const isEnforced = (await readIfThere(join(root, "sys/module/module/parameters/sig_enforce")))?.trim() === "Y";
  const lockdown = (await readIfThere(join(root, "sys/kernel/security/lockdown"))) ?? "";
  const [, level] = /\[(integrity|confidentiality)\]/.exec(lockdown) ?? [];
  const both = [...(isEnforced ? ["module.sig_enforce"] : []), ...(level === undefined ? [] : [`lockdown (${level})`])];
  return both.length === 0 ? undefined : both.join(" and ");
}

type Presence = "there" | "missing" | "unsure";

/** By the cheapest that tells: the firmware's certificates, then those in the kernel's image. */
async function lookedFor(root: string, signer: Signer): Promise<Presence> {
  const keys = await kernelKeys(root);
  if (keys === undefined) return "unsure";
  const certificates = await firmwareCertificates(root);
  const first = judged(signer, keys, certificates);
  if (first !== "unsure") return first;
  const builtIn = (await builtInCertificates(root, await releaseOf(root))) ?? [];
  return judged(signer, keys, [...certificates, ...builtIn]);
}

/** `missing`: the certificate of every key is here, and none is the signer's. */
function judged(signer: Signer, keys: readonly KernelKey[], certificates: readonly Certificate[]): Presence {
  const ofKeys = keys.map((key) => certificates.filter((each) => isShownAs(each, key)));
  if (ofKeys.some((all) => all.some((each) => isOf(signer, each)))) return "there";
  if (keys.some(({ id }) => id === (signer.kind === "key" ? signer.keyId : signer.serial))) return "there";
  return ofKeys.every((all) => all.length > 0) ? "missing" : "unsure";
}

function isShownAs({ subject, keyId, serial }: Certificate, key: KernelKey): boolean {
  return subject === key.subject && (keyId ?? serial) === key.id;
}

function describe(signer: Signer): string {
  if (signer.kind === "key") return `the one with the id ${signer.keyId}`;
  return `number ${signer.serial} of ${signer.issuerName === "" ? "an issuer without a name" : signer.issuerName}`;
}
