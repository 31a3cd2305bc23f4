import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type GivenLivepatch, judgeLivepatch, type Trust, type TrustPolicy } from "./judge.ts";
import { signLivepatch } from "./sign.ts";
import { isComment, parseSignature, type Statement, signatureLine, statementText } from "./statement.ts";
import type { TrustedKey } from "./trusted-keys.ts";

/** A livepatch for a program, of the last released format. */
const data = readFileSync(join(import.meta.dirname, "../../../test/released/livepatch-fix.livepatch"));
const path = "livepatch-fix.livepatch";

function pair(name: string) {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const id = createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
  const trusted: TrustedKey = { id, key: publicKey, name, path: `${name}.pub` };
  return { trusted, secret: { id, key: privateKey } };
}

const vendor = pair("vendor");
const stranger = pair("stranger");
const signature = signLivepatch({ path, data }, vendor.secret, "a fix");
const required: TrustPolicy = { requireSignatures: true, keys: [stranger.trusted, vendor.trusted] };
const given: GivenLivepatch = { path, data, signature };

function codeOf(trust: Trust): string {
  return trust.kind === "refused" ? trust.refusal.code : trust.kind;
}

function codeFor(change: Partial<GivenLivepatch>, policy: Partial<TrustPolicy> = {}): string {
  return codeOf(judgeLivepatch({ ...given, ...change }, { ...required, ...policy }));
}

test("what a trusted key has signed is trusted, by the name of the key", () => {
  expect(judgeLivepatch(given, required)).toMatchObject({
    kind: "trusted",
    key: { name: "vendor" },
    livepatch: {
      kind: "program",
      name: "fix",
      version: 0,
      targets: [expect.stringMatching(/^program served [0-9a-f]+$/)],
    },
    comment: "a fix",
  });
  expect(codeFor({}, { requireSignatures: false })).toBe("trusted");
});

test("without a signature it is refused where one is required, before anything else is read of it", () => {
  expect(codeFor({ signature: undefined })).toBe("UNSIGNED_LIVEPATCH");
  expect(codeFor({ signature: undefined, data: Buffer.from("no livepatch at all") })).toBe("UNSIGNED_LIVEPATCH");
  const unsigned = judgeLivepatch({ ...given, signature: undefined }, { ...required, requireSignatures: false });
  expect(unsigned).toMatchObject({ kind: "unsigned", livepatch: { name: "fix" }, signedBy: undefined });
});

test("a key that is not trusted counts as none, and is named", () => {
  expect(codeFor({}, { keys: [stranger.trusted] })).toBe("UNKNOWN_KEY");
  expect(judgeLivepatch(given, { requireSignatures: false, keys: [] })).toMatchObject({
    kind: "unsigned",
    signedBy: vendor.trusted.id,
  });
});

test("a file of which any byte is another one is refused, also where signatures are not required", () => {
  const codes = new Set<string>();
  for (let at = 0; at < data.length; at++) {
    const changed = Buffer.from(data);
    changed[at] = (changed[at] as number) ^ (1 << (at & 7));
    for (const requireSignatures of [true, false])
      for (const keys of [required.keys, []]) codes.add(codeFor({ data: changed }, { requireSignatures, keys }));
  }
  for (const changed of [data.subarray(0, -1), Buffer.concat([data, Buffer.alloc(1)]), Buffer.alloc(0)])
    codes.add(codeFor({ data: changed }));
  expect([...codes]).toEqual(["SIGNATURE_WRONG"]);
});

test("a signature file of which any byte is another one is refused", () => {
  const codes = new Set<string>();
  for (let at = 0; at < signature.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] as number) ^ (1 << bit);
      codes.add(codeFor({ signature: changed }));
    }
  }
  for (let cut = 1; cut <= signature.length; cut++) codes.add(codeFor({ signature: signature.subarray(0, -cut) }));
  codes.add(codeFor({ signature: Buffer.concat([signature, Buffer.from("\n")]) }));
  codes.add(codeFor({ signature: Buffer.concat([signature, signature]) }));
  expect([...codes].sort()).toEqual(["NEWER_FORMAT", "SIGNATURE_MALFORMED", "SIGNATURE_WRONG", "UNKNOWN_KEY"]);
});

test("whatever a signature file holds, the answer is one of its codes, and it is never trusted", () => {
  const text = signature.toString();
  const damaged = fc
    .tuple(fc.nat(text.length - 1), fc.nat(30), fc.string())
    .map(([at, length, by]) => text.slice(0, at) + by + text.slice(at + length));
  const swapped = fc.shuffledSubarray(text.split("\n")).map((lines) => lines.join("\n"));
  fc.assert(
    fc.property(fc.oneof(fc.string(), damaged, swapped), (changed) => {
      fc.pre(changed !== text);
      expect(codeFor({ signature: Buffer.from(changed) })).toMatch(
        /^(SIGNATURE_MALFORMED|SIGNATURE_WRONG|UNKNOWN_KEY|NEWER_FORMAT)$/,
      );
    }),
    { numRuns: 1000 },
  );
  expect(codeFor({ signature: Buffer.alloc(1 << 20, "key ") })).toBe("SIGNATURE_MALFORMED");
});

test("a statement that is not about the file is refused, though a trusted key signed it", () => {
  const parsed = parseSignature(signature);
  if (parsed.kind !== "signature") throw new Error(parsed.kind);
  const signed = (statement: Statement): Buffer => {
    const lines = statementText(statement);
    return Buffer.concat([lines, signatureLine(sign(null, Buffer.concat([lines, data]), vendor.secret.key))]);
  };
  const { statement } = parsed.file;
  expect(codeFor({ signature: signed(statement) })).toBe("trusted");
  for (const change of [{ name: "other" }, { version: 7 }, { targets: ["kernel 6.1.0-1-amd64"] }])
    expect(codeFor({ signature: signed({ ...statement, ...change }) })).toBe("SIGNATURE_WRONG");
  // By the key of another one than it says.
  expect(codeFor({ signature: signed({ ...statement, key: stranger.trusted.id }) })).toBe("SIGNATURE_WRONG");
});

test("an older version than the one that is here is refused, unless it is asked for", () => {
  expect(codeFor({}, { versionNow: () => 1 })).toBe("OLDER_VERSION");
  expect(codeFor({}, { versionNow: () => 1, allowOlder: true })).toBe("trusted");
  for (const now of [undefined, 0]) expect(codeFor({}, { versionNow: () => now })).toBe("trusted");
  const open = { requireSignatures: false, versionNow: () => 1 };
  expect(codeFor({ signature: undefined }, open)).toBe("OLDER_VERSION");
});

test("a file that is no livepatch is told as that, where no signature is required", () => {
  const text = { path, data: Buffer.from("text"), signature: undefined };
  expect(() => judgeLivepatch(text, { requireSignatures: false, keys: [] })).toThrow();
});

test("a comment is one line, and has nothing that a terminal would take for a command", () => {
  for (const text of ["fixes CVE-2024-0001", "für alle"]) expect(isComment(text)).toBe(true);
  for (const text of ["", " a", "a\nb", "a\u001b[2J", "a\u2028b", "\u202ea", "a".repeat(201)])
    expect(isComment(text)).toBe(false);
});
