/**
 * The signature that the kernel's build appends to a module (scripts/sign-file): a PKCS#7 message,
 * twelve bytes that tell its length, and a mark. Source: struct module_signature and
 * MODULE_SIG_STRING, include/linux/module_signature.h.
 */
import { BIG } from "../elf/words.ts";

const MARK = Buffer.from("~Module signature appended~\n");
const TRAILER = 12;
/** In the trailer: id_type, and the only one that there is. */
const ID_TYPE = 2;
const PKCS7 = 2;
const LENGTH = 8;

/** Whether a module has a signature at its end; by whom is not looked at. */
export function isSigned(data: Buffer): boolean {
  return signatureSize(data) > 0;
}

/** Bytes at the end of the file that `sign-file` appended; 0 where it has no mark. */
export function signatureSize(data: Buffer): number {
  const trailer = trailerOf(data);
  if (trailer === undefined) return 0;
  return Math.min(data.length, MARK.length + TRAILER + BIG.u32(trailer, LENGTH));
}

/** The PKCS#7 message; undefined where there is none, or its length cannot be. */
export function moduleSignature(data: Buffer): Buffer | undefined {
  const trailer = trailerOf(data);
  if (trailer === undefined || trailer[ID_TYPE] !== PKCS7) return undefined;
  const end = data.length - MARK.length - TRAILER;
  const start = end - BIG.u32(trailer, LENGTH);
  return start <= 0 || start === end ? undefined : data.subarray(start, end);
}

/** A module with a signature at its end. */
export function withModuleSignature(module: Buffer, pkcs7: Buffer): Buffer {
  const trailer = Buffer.alloc(TRAILER);
  trailer[ID_TYPE] = PKCS7;
  BIG.setU32(trailer, LENGTH, pkcs7.length);
  return Buffer.concat([module, pkcs7, trailer, MARK]);
}

function trailerOf(data: Buffer): Buffer | undefined {
  const mark = data.length - MARK.length;
  if (mark < TRAILER || !data.subarray(mark).equals(MARK)) return undefined;
  return data.subarray(mark - TRAILER, mark);
}
