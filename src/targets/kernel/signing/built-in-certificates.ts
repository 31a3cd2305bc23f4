/** The certificates that the kernel was built with: they lie in its image, one behind the other, and its memory has them no more. */
import { join } from "node:path";
import { unpackKernelImage } from "../../../image/unpack.ts";
import { SutureError } from "../../../lib/error.ts";
import { readGivenFile } from "../../../lib/read-file.ts";
import { type Certificate, certificateAt } from "./certificate.ts";

/** `version v3` of a certificate, behind two heads of four bytes each, as one of some hundred bytes has them. */
const VERSION_3 = Buffer.from("a003020102", "hex");
const BEFORE_VERSION = 8;

/** undefined where there is no image of that release, or it cannot be unpacked. `root` is the root of the file system. */
export async function builtInCertificates(root: string, release: string): Promise<Certificate[] | undefined> {
  const path = join(root, "boot", `vmlinuz-${release}`);
  let image: Buffer;
  try {
    image = await unpackKernelImage(await readGivenFile(path), path);
  } catch (error) {
    if (error instanceof SutureError) return undefined;
    throw error;
  }
  const found: Certificate[] = [];
  for (let at = image.indexOf(VERSION_3); at >= 0; at = image.indexOf(VERSION_3, at + 1)) {
    const read = at < BEFORE_VERSION ? undefined : certificateAt(image.subarray(at - BEFORE_VERSION));
    if (read !== undefined) found.push(read.certificate);
  }
  return found;
}
