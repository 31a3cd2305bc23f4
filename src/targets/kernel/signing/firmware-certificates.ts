/** The certificates that the firmware and shim hand to the kernel: UEFI variables with signature lists in them. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { LITTLE } from "../../../elf/words.ts";
import { type Certificate, certificateAt } from "./certificate.ts";

/** The kernel takes keys from these (security/integrity/platform_certs/load_uefi.c). */
const VARIABLES = /^(db|MokListRT\d*|MokListTrustedRT)-[0-9a-f-]{36}$/;
/** EFI_CERT_X509_GUID, UEFI specification 32.4.1. */
const X509 = Buffer.from("a159c0a5e494a74a87b5ab155c2bf072", "hex");
const ATTRIBUTES = 4;
const GUID = 16;
/** EFI_SIGNATURE_LIST: type, its size, size of a header of its own, size of each signature. */
const LIST_HEAD = GUID + 12;

/** None where there is no such firmware, or it cannot be read. `root` is the root of the file system. */
export async function firmwareCertificates(root: string): Promise<Certificate[]> {
  const directory = join(root, "sys/firmware/efi/efivars");
  const names = (await readdir(directory).catch(() => [])).filter((name) => VARIABLES.test(name));
  const variables = await Promise.all(
    names.map((name) => readFile(join(directory, name)).catch(() => Buffer.alloc(0))),
  );
  return variables.flatMap((data) => certificatesIn(data.subarray(ATTRIBUTES)));
}

/** What is damaged ends the list. */
function certificatesIn(lists: Buffer): Certificate[] {
  const found: Certificate[] = [];
  for (let at = 0; at + LIST_HEAD <= lists.length; ) {
    const [size, header, each] = [0, 4, 8].map((field) => LITTLE.u32(lists, at + GUID + field)) as [
      number,
      number,
      number,
    ];
    if (size < LIST_HEAD || at + size > lists.length) break;
    const isX509 = lists.subarray(at, at + GUID).equals(X509);
    const end = at + size;
    for (let entry = at + LIST_HEAD + header; isX509 && each > GUID && entry + each <= end; entry += each) {
      const read = certificateAt(lists.subarray(entry + GUID, entry + each));
      if (read !== undefined) found.push(read.certificate);
    }
    at = end;
  }
  return found;
}
