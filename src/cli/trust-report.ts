/** Keys, signatures and who signed what: as lines, and as --json prints them. */
import type { Trust } from "../host/trust/judge.ts";
import type { LivepatchIdentity } from "../host/trust/livepatch-identity.ts";
import type { TrustedKey } from "../host/trust/trusted-keys.ts";
import { EXIT } from "../lib/error.ts";
import type { Outcome } from "./command.ts";
import type { Json } from "./documents.ts";

/** A key without the object that verifies. */
export function trustedKeyJson({ name, id, path }: TrustedKey): Json<"key list">["keys"][number] {
  return { name, id, path };
}

/** For instance `livepatch_fix, version 3, for Linux 6.1.0-57-cloud-amd64`. */
export function describeLivepatch({ kind, name, targets, version }: LivepatchIdentity): string {
  const numbered = version === 0 ? "" : `, version ${version}`;
  const what = targets.map((target) => target.split(" ")[1]).join(", ");
  return `${name}${numbered}, for ${kind === "kernel" ? `Linux ${what}` : what}`;
}

/** What was found of one file, for which a signature was required. */
export interface Judged {
  readonly file: string;
  readonly trust: Exclude<Trust, { readonly kind: "unsigned" }>;
}

/** Of `suture verify`: exit code 2 where one is refused. */
export function verifyOutcome(judged: readonly Judged[]): Outcome<Json<"verify">> {
  const problems = judged.flatMap(({ trust }) => (trust.kind === "refused" ? [trust.refusal] : []));
  return {
    exit: problems.length > 0 ? EXIT.refused : EXIT.done,
    json: { files: judged.map(verifiedJson) },
    lines: judged.flatMap(verifiedLines),
    problems,
  };
}

function verifiedJson({ file, trust }: Judged): Json<"verify">["files"][number] {
  if (trust.kind === "refused") return { kind: "refused", file, problem: trust.refusal };
  const { livepatch, key, comment } = trust;
  return { kind: "trusted", file, livepatch, key: trustedKeyJson(key), comment };
}

function verifiedLines({ file, trust }: Judged): string[] {
  if (trust.kind === "refused") return [`${file}: refused`];
  const { livepatch, key, comment } = trust;
  return [
    `${file}: ${describeLivepatch(livepatch)}`,
    `  signed by ${key.name}, key ${key.id}`,
    ...(comment === undefined ? [] : [`  ${comment}`]),
  ];
}
