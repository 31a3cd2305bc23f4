/**
 * The vmlinux inside a kernel image: an x86 bzImage carries it compressed
 * (the x86 boot protocol, Documentation/arch/x86/boot.rst: setup_sects,
 * payload_offset, payload_length).
 */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { SutureError } from "../lib/error.ts";
import { run } from "../lib/run.ts";

/** What a compressed image may declare as its uncompressed size, bytes. */
const MAX_UNPACKED = 256 << 20;

const OFFSET = { setupSects: 0x1f1, magic: 0x202, version: 0x206, payload: 0x248 } as const;
const HEADER_END = 0x250;
/** The first boot protocol with payload_offset and payload_length. */
const VERSION_WITH_PAYLOAD = 0x0208;

interface Compression {
  readonly magic: readonly number[];
  readonly program: string;
  readonly arguments: readonly string[];
}

const GZIP_MAGIC = [0x1f, 0x8b, 0x08];

const COMPRESSIONS: readonly Compression[] = [
  {
    magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
    program: "xz",
    arguments: ["-dc"],
  },
  {
    magic: [0x5d, 0x00, 0x00],
    program: "xz",
    arguments: ["--format=lzma", "-dc"],
  },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], program: "zstd", arguments: ["-dcq"] },
  { magic: [0x02, 0x21, 0x4c, 0x18], program: "lz4", arguments: ["-dcq"] },
  { magic: [0x42, 0x5a, 0x68], program: "bzip2", arguments: ["-dc"] },
];

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
  const { payload, offset } = payloadOf(data, name);
  const where = `${name}, payload at 0x${offset.toString(16)}`;
  if (isElf(payload)) return payload;
  // Every payload ends with its uncompressed size, 32 bits: gzip's own last
  // field, or four bytes that the kernel's build appends to the other formats.
  if (payload.length < 8) throw corrupt("its payload is empty", where);
  const size = payload.readUInt32LE(payload.length - 4);
  if (size === 0 || size > MAX_UNPACKED) {
    throw corrupt(`its payload claims to unpack to ${size} bytes, of at most ${MAX_UNPACKED}`, where);
  }
  const unpacked = await decompress(payload, size, where, signal);
  if (unpacked.length !== size) {
    throw corrupt(`its payload unpacks to ${unpacked.length} bytes instead of ${size}`, where);
  }
  if (!isElf(unpacked)) throw corrupt("its payload does not unpack to an ELF file", where);
  return unpacked;
}

function payloadOf(data: Buffer, name: string): { payload: Buffer; offset: number } {
  if (data.length < HEADER_END || data.toString("latin1", OFFSET.magic, OFFSET.magic + 4) !== "HdrS") {
    throw new SutureError("KERNEL_IMAGE_UNSUPPORTED", "neither an ELF vmlinux nor an x86 bzImage", {
      where: name,
      hint: "give the vmlinux ELF file or the vmlinuz of an x86-64 kernel",
    });
  }
  const version = data.readUInt16LE(OFFSET.version);
  if (version < VERSION_WITH_PAYLOAD) {
    throw new SutureError(
      "KERNEL_IMAGE_UNSUPPORTED",
      `boot protocol ${version >> 8}.${version & 0xff} does not say where the payload is`,
      { where: name, hint: "give the vmlinux ELF file instead" },
    );
  }
  // A setup_sects of 0 means 4; the boot sector itself comes on top.
  const setup = ((data[OFFSET.setupSects] || 4) + 1) * 512;
  const offset = setup + data.readUInt32LE(OFFSET.payload);
  const length = data.readUInt32LE(OFFSET.payload + 4);
  if (offset + length > data.length) {
    throw corrupt(
      `its payload (0x${offset.toString(16)}, ${length} bytes) lies outside the ${data.length} bytes of the file`,
      name,
    );
  }
  return { payload: data.subarray(offset, offset + length), offset };
}

async function decompress(
  payload: Buffer,
  size: number,
  where: string,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  if (startsWith(payload, GZIP_MAGIC)) {
    try {
      return await promisify(gunzip)(payload, { maxOutputLength: size });
    } catch (cause) {
      throw corrupt("its gzip payload cannot be unpacked", where, cause);
    }
  }
  for (const compression of COMPRESSIONS) {
    if (startsWith(payload, compression.magic)) {
      return await runFilter(compression, payload.subarray(0, -4), size, where, signal);
    }
  }
  throw new SutureError(
    "KERNEL_IMAGE_UNSUPPORTED",
    `unknown compression, first bytes ${payload.toString("hex", 0, 8)}`,
    { where, hint: "give the vmlinux ELF file instead" },
  );
}

async function runFilter(
  compression: Compression,
  input: Buffer,
  size: number,
  where: string,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const { program } = compression;
  try {
    const { bytes, exitCode, endedBy, stderr } = await run(program, compression.arguments, {
      input,
      signal,
      maxOutput: size,
    });
    if (exitCode === 0) return bytes;
    const said = stderr.trim().split("\n")[0]?.slice(0, 200) || `exit ${exitCode ?? endedBy}`;
    throw corrupt(`${program} cannot unpack its payload: ${said}`, where);
  } catch (cause) {
    if (!(cause instanceof SutureError) || cause.code !== "OUTPUT_TOO_LARGE") throw cause;
    throw corrupt(`its payload unpacks to more than the ${size} bytes it claims`, where, cause);
  }
}

function isElf(data: Buffer): boolean {
  return startsWith(data, [0x7f, 0x45, 0x4c, 0x46]);
}

function startsWith(data: Buffer, magic: readonly number[]): boolean {
  return magic.every((byte, i) => data[i] === byte);
}

function corrupt(what: string, where: string, cause?: unknown): SutureError {
  return new SutureError("KERNEL_IMAGE_CORRUPT", `broken kernel image: ${what}`, {
    where,
    hint: "fetch the kernel package again",
    cause,
  });
}
