/** Whether the administrator of this machine lets a livepatch file in. */
import { basename } from "node:path";
import { judgeLivepatch, type Trust } from "../host/trust/judge.ts";
import { administratorsPolicy, type Taker, withSignature } from "../host/trust/policy.ts";
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
  return judgeLivepatch(given, {
    ...policy,
    allowOlder,
    versionNow: ({ kind, name }) => (kind === "kernel" ? loadedVersion("/", name) : undefined),
  });
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
