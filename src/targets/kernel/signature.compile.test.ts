import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MadeUpKernel } from "../../../test/made-up-kernel.ts";
import { LITTLE } from "../../elf/words.ts";
import { run } from "../../lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../lib/temp.ts";
import type { LivepatchFile } from "../../patch/livepatch-file.ts";
import { isSigned, moduleSignature, withModuleSignature } from "../../patch/module-signature.ts";
import { signatureFindings } from "./signature.ts";
import { certificateAt, isOf, signerOf } from "./signing/certificate.ts";

let directory: TemporaryDirectory;

/** A key with its certificate; PKCS#7 of some bytes by it, naming it by issuer and number, and by key id. */
interface Made {
  readonly der: Buffer;
  readonly bySerial: Buffer;
  readonly byKeyId: Buffer | undefined;
}

const MODULE = Buffer.from("a module's bytes");
const made = new Map<string, Made>();

async function make(name: string, subject: string, ...more: string[]): Promise<void> {
  const at = (suffix: string): string => join(directory.path, `${name}.${suffix}`);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", at("key")];
  const openssl = async (...args: string[]): Promise<Buffer> =>
    (await run("openssl", args, { check: true, input: MODULE })).bytes;
  await openssl("req", "-x509", ...key, "-subj", subject, "-days", "2", "-out", at("pem"), ...more);
  const sign = ["cms", "-sign", "-binary", "-noattr", "-nocerts", "-md", "sha256", "-outform", "DER"];
  const by = ["-signer", at("pem"), "-inkey", at("key")];
  const hasKeyId = more.length === 0;
  made.set(name, {
    der: await openssl("x509", "-in", at("pem"), "-outform", "DER"),
    bySerial: await openssl(...sign, ...by),
    byKeyId: hasKeyId ? await openssl(...sign, ...by, "-keyid") : undefined,
  });
}

const of = (name: string): Made => made.get(name) as Made;

beforeAll(async () => {
  directory = await temporaryDirectory();
  await make("vendor", "/O=Example/CN=Signing key");
  await make("owner", "/CN=The owner/emailAddress=owner@example.org");
  await make("plain", "/emailAddress=plain@example.org", "-addext", "subjectKeyIdentifier=none");
  await make("stranger", "/O=Somebody else");
});
afterAll(async () => await directory[Symbol.asyncDispose]());

test("a certificate is read as others read it, and its subject is worded as the kernel words it", () => {
  const subjects = { vendor: "Example: Signing key", owner: "The owner", plain: "plain@example.org" };
  for (const [name, subject] of Object.entries(subjects)) {
    const { der } = of(name);
    const read = certificateAt(Buffer.concat([der, Buffer.from("more")]));
    const { serialNumber } = new X509Certificate(der);
    expect(read).toMatchObject({ size: der.length, certificate: { subject } });
    expect(read?.certificate.serial.replace(/^00/, "")).toBe(serialNumber.toLowerCase());
    expect(read?.certificate.keyId === undefined).toBe(name === "plain");
  }
});

test("who signed is known by number and issuer, or by key id", () => {
  for (const [name, { der, bySerial, byKeyId }] of made)
    for (const pkcs7 of [bySerial, byKeyId]) {
      const signer = pkcs7 && signerOf(pkcs7);
      if (signer === undefined) continue;
      for (const [other, { der: otherDer }] of made) {
        const certificate = certificateAt(otherDer)?.certificate;
        expect(certificate && isOf(signer, certificate)).toBe(other === name);
      }
      expect(certificateAt(der)).toBeDefined();
    }
  expect(signerOf(of("vendor").bySerial)?.kind).toBe("serial");
  expect(signerOf(of("vendor").byKeyId as Buffer)?.kind).toBe("key");
});

test("whatever the bytes are, they are read or are none", () => {
  const seeds = [of("vendor").der, of("vendor").bySerial];
  const damaged = fc
    .tuple(fc.constantFrom(...seeds), fc.nat(400), fc.uint8Array({ maxLength: 8 }))
    .map(([seed, at, by]) => Buffer.concat([seed.subarray(0, at), by, seed.subarray(at + by.length)]));
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 64 }).map(Buffer.from)), (data) => {
      certificateAt(data);
      signerOf(data);
    }),
    { numRuns: 3000 },
  );
  expect(signerOf(Buffer.alloc(0))).toBeUndefined();
});

test("a signature at a module's end is found, and what only looks like one is none", () => {
  const signed = withModuleSignature(MODULE, of("vendor").bySerial);
  expect(moduleSignature(signed)).toEqual(of("vendor").bySerial);
  expect(isSigned(signed)).toBe(true);
  expect(moduleSignature(MODULE)).toBeUndefined();
  expect(moduleSignature(signed.subarray(MODULE.length))).toBeUndefined();
  expect(moduleSignature(Buffer.from("~Module signature appended~\n"))).toBeUndefined();
});

const ENFORCED = { "sys/module/module/parameters/sig_enforce": "Y\n" };

/** A line of /proc/keys. */
function keyLine(number: number, subject: string, id: string): string {
  return `${number.toString(16).padStart(8, "0")} I------     1 perm 1f030000     0     0 asymmetri ${subject}: ${id}: X509.ecdsa ${id.slice(-8)} []\n`;
}

function shownIn(name: string): string {
  const certificate = certificateAt(of(name).der)?.certificate;
  if (certificate === undefined) throw new Error(name);
  return keyLine(7, certificate.subject, certificate.keyId ?? certificate.serial);
}

/** A UEFI variable with a list of one certificate, behind a list of digests. */
function firmwareVariable(der: Buffer): Buffer {
  const list = (type: string, entries: readonly Buffer[]): Buffer => {
    const size = 16 + (entries[0]?.length ?? 0);
    const head = Buffer.alloc(28);
    Buffer.from(type, "hex").copy(head);
    LITTLE.setU32(head, 16, 28 + size * entries.length);
    LITTLE.setU32(head, 24, size);
    return Buffer.concat([head, ...entries.flatMap((entry) => [Buffer.alloc(16, 1), entry])]);
  };
  const digests = list("2616c4c14c509240aca941f936934328", [Buffer.alloc(32), Buffer.alloc(32, 2)]);
  return Buffer.concat([Buffer.alloc(4), digests, list("a159c0a5e494a74a87b5ab155c2bf072", [der])]);
}

/** A kernel image that needs no unpacking, with certificates in it. */
function image(...names: string[]): Buffer {
  const head = Buffer.from("\u007fELF................", "latin1");
  return Buffer.concat([head, ...names.map((name) => of(name).der), Buffer.alloc(99, 3)]);
}

async function codeFor(files: Readonly<Record<string, string | Buffer>>, signature?: Buffer): Promise<string> {
  using kernel = new MadeUpKernel(files);
  const data = signature === undefined ? MODULE : withModuleSignature(MODULE, signature);
  const found = await signatureFindings(kernel.root, { name: "fix", data } as LivepatchFile);
  return found.problem?.code ?? (found.notProved === undefined ? "taken" : "unsure");
}

test("who has modules signed is told, and where nobody has, none is looked at", async () => {
  expect(await codeFor({})).toBe("taken");
  expect(await codeFor({ "sys/kernel/security/lockdown": "[none] integrity confidentiality\n" })).toBe("taken");
  for (const files of [
    ENFORCED,
    { "sys/kernel/security/lockdown": "none [integrity] confidentiality\n" },
    { "sys/kernel/security/lockdown": "none integrity [confidentiality]\n" },
  ]) {
    expect(await codeFor(files)).toBe("UNSIGNED");
    expect(await codeFor(files, Buffer.from("no signature"))).toBe("UNSIGNED");
  }
});

test("a key is said to be missing only where each key of the kernel is known to be another one", async () => {
  const vendor = of("vendor").bySerial;
  const stranger = of("stranger").bySerial;
  // Nothing can be seen of the keys.
  expect(await codeFor(ENFORCED, stranger)).toBe("unsure");
  const keys = { ...ENFORCED, "proc/keys": `${shownIn("vendor")}${shownIn("owner")}${shownIn("plain")}` };
  // Whose keys they are is not known.
  expect(await codeFor(keys, stranger)).toBe("unsure");
  const release = "boot/vmlinuz-6.1.0-1-amd64";
  const firmware = {
    "sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23": firmwareVariable(of("owner").der),
  };
  expect(await codeFor({ ...keys, ...firmware }, stranger)).toBe("unsure");
  expect(await codeFor({ ...keys, [release]: image("vendor", "plain") }, stranger)).toBe("unsure");
  const known = { ...keys, ...firmware, [release]: image("vendor", "plain") };
  expect(await codeFor(known, stranger)).toBe("KERNEL_KEY_MISSING");
  for (const name of ["vendor", "owner", "plain"]) expect(await codeFor(known, of(name).bySerial)).toBe("taken");
  expect(await codeFor(known, of("vendor").byKeyId)).toBe("taken");
  expect(await codeFor(known, of("stranger").byKeyId)).toBe("KERNEL_KEY_MISSING");
  // In the image, and not among the keys: it was taken away, or is another image.
  expect(
    await codeFor({ ...keys, "proc/keys": shownIn("owner"), ...firmware, [release]: image("vendor") }, vendor),
  ).toBe("KERNEL_KEY_MISSING");
  expect(await codeFor({ ...known, [release]: "not an image" }, stranger)).toBe("unsure");
});

test("the missing key is named, with the way to enrol it", async () => {
  using kernel = new MadeUpKernel({
    ...ENFORCED,
    "proc/keys": shownIn("vendor"),
    "boot/vmlinuz-6.1.0-1-amd64": image("vendor"),
  });
  const data = withModuleSignature(MODULE, of("stranger").bySerial);
  expect(await signatureFindings(kernel.root, { name: "fix", data } as LivepatchFile)).toMatchObject({
    problem: {
      code: "KERNEL_KEY_MISSING",
      where: expect.stringMatching(/^module\.sig_enforce; the key is number [0-9a-f]+ of Somebody else$/),
      hint: expect.stringMatching(/mokutil --import/),
    },
  });
});
