/** The compressed kernel in an image: what Linux compresses it by is the same on all machines. */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { LITTLE } from "../elf/words.ts";
import { SutureError } from "../lib/error.ts";
import { run } from "../lib/run.ts";

/** What a compressed image may declare as its uncompressed size, bytes. */
const MAX_UNPACKED = 256 << 20;

/** Compressed bytes, with their uncompressed size behind them. */
export interface Payload {
  readonly bytes: Buffer;
  /** For messages. */
  readonly where: string;
}

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
 * The kernel as it is linked. Every payload ends with its uncompressed size, 32 bits, on
 * all machines in little-endian order: gzip's own last field, or four bytes that the
 * kernel's build appends to the other formats (scripts/Makefile.lib, size_append).
 * Throws `KERNEL_IMAGE_CORRUPT`, `KERNEL_IMAGE_UNSUPPORTED`, `PROGRAM_MISSING`.
 */
export async function unpacked({ bytes, where }: Payload, signal: AbortSignal | undefined): Promise<Buffer> {
  if (bytes.length < 8) throw corrupt("its payload is empty", where);
  const size = LITTLE.u32(bytes, bytes.length - 4);
  if (size === 0 || size > MAX_UNPACKED) {
    throw corrupt(`its payload claims to unpack to ${size} bytes, of at most ${MAX_UNPACKED}`, where);
  }
  const whole = await decompress(bytes, size, where, signal);
  if (whole.length !== size) throw corrupt(`its payload unpacks to ${whole.length} bytes instead of ${size}`, where);
  return whole;
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
      return await runFilter(compression, { bytes: payload.subarray(0, -4), where }, size, signal);
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
  { bytes: input, where }: Payload,
  size: number,
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

/** By the first four bytes alone. */
export function isElf(data: Buffer): boolean {
  return startsWith(data, [0x7f, 0x45, 0x4c, 0x46]);
}

function startsWith(data: Buffer, magic: readonly number[]): boolean {
  return magic.every((byte, i) => data[i] === byte);
}

/** `KERNEL_IMAGE_CORRUPT`; `what` goes on after `broken kernel image:`. */
export function corrupt(what: string, where: string, cause?: unknown): SutureError {
  return new SutureError("KERNEL_IMAGE_CORRUPT", `broken kernel image: ${what}`, {
    where,
    hint: "fetch the kernel package again",
    cause,
  });
}
