/** The vmlinux inside a kernel image, whichever machine's: one reader for each kind of image. */
import { SutureError } from "../lib/error.ts";
import { isBzImage, payloadOfBzImage } from "./bz-image.ts";
import { corrupt, isElf, unpacked } from "./payload.ts";
import { isS390xImage, vmlinuxOfS390x } from "./s390x-image.ts";

/**
 * The vmlinux ELF file in a kernel image. An uncompressed vmlinux is returned
 * as it is. What follows the ELF file in the payload (relocations for KASLR)
 * stays at its end.
 *
 * `name` is for messages, `signal` ends it early. Throws `KERNEL_IMAGE_CORRUPT`,
 * `KERNEL_IMAGE_UNSUPPORTED`, or `PROGRAM_MISSING` where the program that
 * unpacks it is not installed.
 */
export async function unpackKernelImage(data: Buffer, name: string, signal?: AbortSignal): Promise<Buffer> {
  if (isElf(data)) return data;
  if (isS390xImage(data)) return await vmlinuxOfS390x(data, name, signal);
  if (!isBzImage(data))
    throw new SutureError("KERNEL_IMAGE_UNSUPPORTED", "neither an ELF vmlinux nor a bzImage", {
      where: name,
      hint: "give the vmlinux ELF file or the vmlinuz of an x86-64 or s390x kernel",
    });
  const payload = payloadOfBzImage(data, name);
  if (isElf(payload.bytes)) return payload.bytes;
  const vmlinux = await unpacked(payload, signal);
  if (!isElf(vmlinux)) throw corrupt("its payload does not unpack to an ELF file", payload.where);
  return vmlinux;
}
