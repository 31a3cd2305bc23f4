/**
 * x86's bzImage: the x86 boot protocol, Documentation/arch/x86/boot.rst (setup_sects,
 * payload_offset, payload_length).
 */
import { LITTLE } from "../elf/words.ts";
import { SutureError } from "../lib/error.ts";
import { corrupt, type Payload } from "./payload.ts";

const OFFSET = { setupSects: 0x1f1, magic: 0x202, version: 0x206, payload: 0x248 } as const;
const HEADER_END = 0x250;
/** The first boot protocol with payload_offset and payload_length. */
const VERSION_WITH_PAYLOAD = 0x0208;

/** By the mark of the boot protocol, which every image of x86 has at the same place. */
export function isBzImage(data: Buffer): boolean {
  return data.length >= HEADER_END && data.toString("latin1", OFFSET.magic, OFFSET.magic + 4) === "HdrS";
}

/** Throws `KERNEL_IMAGE_CORRUPT`, `KERNEL_IMAGE_UNSUPPORTED`. */
export function payloadOfBzImage(data: Buffer, name: string): Payload {
  const version = LITTLE.u16(data, OFFSET.version);
  if (version < VERSION_WITH_PAYLOAD) {
    throw new SutureError(
      "KERNEL_IMAGE_UNSUPPORTED",
      `boot protocol ${version >> 8}.${version & 0xff} does not say where the payload is`,
      { where: name, hint: "give the vmlinux ELF file instead" },
    );
  }
  // A setup_sects of 0 means 4; the boot sector itself comes on top.
  const setup = ((data[OFFSET.setupSects] || 4) + 1) * 512;
  const offset = setup + LITTLE.u32(data, OFFSET.payload);
  const length = LITTLE.u32(data, OFFSET.payload + 4);
  if (offset + length > data.length) {
    throw corrupt(
      `its payload (0x${offset.toString(16)}, ${length} bytes) lies outside the ${data.length} bytes of the file`,
      name,
    );
  }
  return { bytes: data.subarray(offset, offset + length), where: `${name}, payload at 0x${offset.toString(16)}` };
}
