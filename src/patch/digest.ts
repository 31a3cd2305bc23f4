/**
 * The digest that a livepatch carries of itself: SHA-256 of the file, in which
 * the digest's own 32 bytes count as zero. A signature that was appended to a
 * module (scripts/sign-file of the kernel) is not part of it.
 */

import { createHash } from "node:crypto";
import type { ElfFile } from "../elf/model.ts";
import { readElf } from "../elf/read.ts";
import { SutureError } from "../lib/error.ts";
import { METADATA_SECTION } from "./metadata.ts";
import { signatureSize } from "./module-signature.ts";

/** Name of the section that holds the digest and nothing else. */
export const DIGEST_SECTION = ".suture.digest";
/** Bytes of a SHA-256 digest. */
export const DIGEST_SIZE = 32;

/** Fills in the digest of a file that has room for it. */
export function sealed(data: Buffer): Buffer {
  const file = readElf(data, "livepatch");
  const section = file.sections.find(({ name }) => name === DIGEST_SECTION);
  if (section === undefined || section.size !== DIGEST_SIZE) throw new Error("a livepatch without room for its digest");
  const whole = Buffer.from(data);
  digestOf(whole, section.offset).copy(whole, section.offset);
  return whole;
}

/**
 * Reads a file that is said to be a livepatch. Throws `LIVEPATCH_CORRUPT` for one
 * of ours in which any bit is not as it was written, and what `readElf` throws for
 * another one; a livepatch that another tool made is taken as it is.
 */
export function readSealed(data: Buffer, path: string): ElfFile {
  const isOurs = data.includes(METADATA_SECTION, 0, "latin1") || data.includes(DIGEST_SECTION, 0, "latin1");
  if (!isOurs) return readElf(data, path);
  const file = readDamaged(data, path);
  const section = file.sections.find(({ name }) => name === DIGEST_SECTION);
  if (section === undefined) throw corrupt(path, "it has no digest, or has lost it");
  if (section.data.length !== DIGEST_SIZE) throw corrupt(path, `its digest has ${section.data.length} bytes`);
  const end = data.length - signatureSize(data);
  if (section.offset + DIGEST_SIZE > end || !digestOf(data.subarray(0, end), section.offset).equals(section.data))
    throw corrupt(path, "it is not as it was written: its digest is another one");
  return file;
}

/**
 * `LIVEPATCH_CORRUPT`, for a file of ours that is not as it was written. `what` goes on
 * after a colon; `where` may name a place in the file.
 */
export function corrupt(path: string, what: string, where = path, cause?: unknown): SutureError {
  return new SutureError("LIVEPATCH_CORRUPT", `the livepatch is damaged: ${what}`, {
    where,
    hint: "build it again, or copy it again from where it was built",
    cause,
  });
}

function readDamaged(data: Buffer, path: string): ElfFile {
  try {
    return readElf(data, path);
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    throw corrupt(path, error.message, error.where, error);
  }
}

function digestOf(data: Buffer, at: number): Buffer {
  return createHash("sha256")
    .update(data.subarray(0, at))
    .update(Buffer.alloc(DIGEST_SIZE))
    .update(data.subarray(at + DIGEST_SIZE))
    .digest();
}
