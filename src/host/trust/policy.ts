/** What the administrator of this machine has decided of livepatch files. */
import { stat } from "node:fs/promises";
import { readGivenFile } from "../../lib/read-file.ts";
import { readConfiguration } from "../configuration.ts";
import { type HostPaths, hostPaths } from "../paths.ts";
import type { GivenLivepatch, TrustPolicy } from "./judge.ts";
import { MAX_SIGNATURE_BYTES } from "./statement.ts";
import { trustedKeys } from "./trusted-keys.ts";

/** Who takes the livepatch in: what is not set in the configuration is `no` for commands, and `yes` for the daemon. */
export type Taker = "command" | "daemon";

/** Where a livepatch's signature file is. */
export function signaturePath(path: string): string {
  return `${path}.sig`;
}

/**
 * A livepatch that was read, with its signature file, where there is one. Standard input (`-`) has none.
 * Throws what `readGivenFile` throws of a signature file that is there.
 */
export async function withSignature(path: string, data: Buffer, signal?: AbortSignal): Promise<GivenLivepatch> {
  const beside = signaturePath(path);
  const isThere = path !== "-" && (await stat(beside).catch(isAbsent)) !== undefined;
  const options = { maxBytes: MAX_SIGNATURE_BYTES, what: "the signature file", signal };
  return { path, data, signature: isThere ? await readGivenFile(beside, options) : undefined };
}

/**
 * The policy for one livepatch. Trusted keys are read only where they are needed.
 * Throws `TRUST_NOT_SAFE`, `CONFIGURATION_UNREADABLE`, `KEY_UNREADABLE`.
 */
export async function administratorsPolicy(
  { signature }: GivenLivepatch,
  taker: Taker,
  paths: HostPaths = hostPaths(),
): Promise<TrustPolicy> {
  const { "require-signatures": requireSignatures = taker === "daemon" } = await readConfiguration(paths);
  return { requireSignatures, keys: signature === undefined ? [] : await trustedKeys(paths) };
}

function isAbsent(error: unknown): undefined {
  if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
  throw error;
}
