/**
 * Ed25519 keys (RFC 8032) in the files that openssl writes and reads: the secret key as PKCS#8,
 * the public one as SubjectPublicKeyInfo (RFC 8410), both in PEM.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { stat } from "node:fs/promises";
import { SutureError } from "../../lib/error.ts";
import { readGivenFile } from "../../lib/read-file.ts";

/** Verifies. */
export interface PublicKey {
  /** SHA-256 of the key as DER (SubjectPublicKeyInfo), 64 hexadecimal digits. */
  readonly id: string;
  readonly key: KeyObject;
}

/** Signs. */
export interface SecretKey {
  /** Of the public key. */
  readonly id: string;
  readonly key: KeyObject;
}

/** A key has some hundred bytes. */
const MAX_KEY_BYTES = 64 << 10;

const READABLE_BY_OTHERS = 0o077;

/** A new pair, as the text of its two files. */
export function generatedKeys(): { readonly id: string; readonly secret: string; readonly public: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    id: idOf(publicKey),
    secret: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    public: publicPem(publicKey),
  };
}

/** As it stands in a file. */
export function publicPem(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}

/** Throws `KEY_UNREADABLE`, and what `readGivenFile` throws. */
export async function readPublicKey(path: string, signal?: AbortSignal): Promise<PublicKey> {
  const text = await keyText(path, signal);
  if (text.includes("PRIVATE KEY-----"))
    throw unreadable(path, "it is a secret key", "give the public key, the file that ends with .pub");
  if (!text.includes("-----BEGIN PUBLIC KEY-----")) throw unreadable(path, "it is no public key in PEM");
  const key = parsed(() => createPublicKey(text), path);
  return { id: idOf(key), key };
}

/** Throws `KEY_UNREADABLE`, `KEY_EXPOSED` where others can read it, and what `readGivenFile` throws. */
export async function readSecretKey(path: string, signal?: AbortSignal): Promise<SecretKey> {
  const text = await keyText(path, signal);
  const { mode, uid } = await stat(path);
  if ((uid !== 0 && uid !== process.geteuid?.()) || (mode & READABLE_BY_OTHERS) !== 0)
    throw new SutureError("KEY_EXPOSED", "others can read a secret key, and may have signed with it", {
      where: path,
      hint: "make a new one with suture key generate; or, if nobody has read it, chmod 600 it",
    });
  if (text.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
    throw unreadable(path, "it is locked by a passphrase", "unlock it with: openssl pkcs8 -in KEY -out NEW");
  if (!text.includes("-----BEGIN PRIVATE KEY-----"))
    throw unreadable(path, "it is no secret key in PEM", "give the file that ends with .key");
  const key = parsed(() => createPrivateKey(text), path);
  return { id: idOf(createPublicKey(key)), key };
}

async function keyText(path: string, signal: AbortSignal | undefined): Promise<string> {
  const data = await readGivenFile(path, { maxBytes: MAX_KEY_BYTES, what: "a key", code: "KEY_UNREADABLE", signal });
  return data.toString("latin1");
}

function parsed(read: () => KeyObject, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    throw unreadable(path, "it is damaged", undefined, error);
  }
  if (key.asymmetricKeyType !== "ed25519") throw unreadable(path, `it is of the kind ${key.asymmetricKeyType}`);
  return key;
}

function idOf(key: KeyObject): string {
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("hex");
}

function unreadable(
  path: string,
  why: string,
  hint = "an Ed25519 key is needed, as suture key generate makes it",
  cause?: unknown,
): SutureError {
  return new SutureError("KEY_UNREADABLE", `a key cannot be used: ${why}`, { where: path, hint, cause });
}
