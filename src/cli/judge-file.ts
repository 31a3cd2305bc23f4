/** Whether the administrator of this machine lets a livepatch file in. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { hostPaths } from "../host/paths.ts";
import { databasePath } from "../host/store/database-path.ts";
import { type Installed, isSame } from "../host/store/installed.ts";
import { judgeLivepatch, type Trust } from "../host/trust/judge.ts";
import type { LivepatchIdentity } from "../host/trust/livepatch-identity.ts";
import { administratorsPolicy, type Taker, withSignature } from "../host/trust/policy.ts";
import { SutureError } from "../lib/error.ts";
import { loadedVersion } from "../targets/kernel/module-version.ts";
import type { VerbResult } from "../targets/verb-result.ts";
import type { Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { verbOutcome } from "./verb-report.ts";

/** A file that was read. */
interface ReadFile {
  readonly path: string;
  readonly data: Buffer;
}

/** What a verb may be told besides its file. */
export interface FileVerbChoice {
  /** Take an older version than the one that is loaded. */
  readonly allowOlder: boolean;
  readonly taker: Taker;
  readonly signal: AbortSignal;
}

/** Throws what `administratorsPolicy`, `withSignature` and `judgeLivepatch` throw. */
export async function judgeFile(
  { path, data }: ReadFile,
  { allowOlder, taker, signal }: FileVerbChoice,
): Promise<Trust> {
  const given = await withSignature(path, data, signal);
  const policy = await administratorsPolicy(given, taker);
  if (allowOlder) return judgeLivepatch(given, { ...policy, allowOlder });
  const installed = await installedLivepatches();
  const versionNow = (livepatch: LivepatchIdentity): number | undefined => {
    const loaded = livepatch.kind === "kernel" ? loadedVersion("/", livepatch.name) : undefined;
    const known = [loaded, installed.find((each) => isSame(each, livepatch))?.version];
    const versions = known.filter((each) => each !== undefined);
    return versions.length === 0 ? undefined : Math.max(...versions);
  };
  return judgeLivepatch(given, { ...policy, versionNow });
}

/** None where this user may not look. */
async function installedLivepatches(): Promise<readonly Installed[]> {
  const paths = hostPaths();
  // Most commands find none, and need not know how one is read.
  if (!existsSync(databasePath(paths))) return [];
  const { HostStore } = await import("../host/store/store.ts");
  try {
    using store = HostStore.open(paths);
    return store?.installed() ?? [];
  } catch (error) {
    if (error instanceof SutureError && error.code === "NOT_PERMITTED") return [];
    throw error;
  }
}

/** Of a verb whose file is refused: nothing that runs was looked at, so the file stands where a target would. */
export function refusedFile(path: string, { refusal }: Trust & { readonly kind: "refused" }): Outcome<Json<"load">> {
  const result: VerbResult = { name: path, outcome: "refused", problems: [refusal], notes: [], holders: [] };
  return verbOutcome(basename(path), "", [result]);
}

/** Whose key it was; without a name, that of a key which is not trusted here. */
export function signerOf(trust: Trust): { readonly id: string; readonly name?: string } | undefined {
  if (trust.kind === "trusted") return { id: trust.key.id, name: trust.key.name };
  return trust.kind === "unsigned" && trust.signedBy !== undefined ? { id: trust.signedBy } : undefined;
}

/** The same outcome, with who signed the livepatch. */
export function withSigner(
  outcome: Outcome<Json<"load">>,
  trust: Exclude<Trust, { readonly kind: "refused" }>,
): Outcome<Json<"load">> {
  const signer = signerOf(trust);
  if (signer === undefined) return outcome;
  const who = "name" in signer ? signer.name : `a key that is not trusted here (${signer.id})`;
  return {
    ...outcome,
    json: { ...outcome.json, signedBy: signer },
    lines: [`signed by ${who}`, ...outcome.lines],
  };
}
