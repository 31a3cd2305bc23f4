import * as zlib from "node:zlib";
import { u64, viewOf } from "./bytes.ts";
import { ELFCOMPRESS, RECORD, SHF } from "./constants.ts";
import { corrupt, type Place, unsupported } from "./fault.ts";
import type { ElfFile, ElfSection } from "./model.ts";

/** What compressed contents may grow to. */
export interface ContentsLimits {
  /** Bytes; default 256 MiB. */
  readonly size?: number;
  /** Times the compressed size, for contents above 1 MiB; default 256. */
  readonly ratio?: number;
}

const MIB = 1024 * 1024;

/**
 * A section's contents, decompressed where they are compressed: SHF_COMPRESSED
 * with zlib or, where this Node.js has it, zstd, and the older `.zdebug_*`.
 * Throws ELF_CORRUPT for contents that are damaged or larger than the limits,
 * ELF_UNSUPPORTED for other compressions.
 */
export function contentsOf(file: ElfFile, section: ElfSection, limits: ContentsLimits = {}): Buffer {
  const found = compression(file, section);
  if (found === undefined) return section.data;
  const { place, packed, size, unpack } = found;
  const { size: most = 256 * MIB, ratio = 256 } = limits;
  if (size > most || (size > MIB && size > packed.length * ratio)) {
    throw corrupt(place, `${packed.length} bytes claim to decompress to ${size}`);
  }
  // Node.js takes no output limit of 0.
  const options = { maxOutputLength: Math.max(size, 1), chunkSize: Math.min(Math.max(size, 64), MIB) };
  let contents: Buffer;
  try {
    contents = unpack(packed, options);
  } catch (cause) {
    throw corrupt(place, "the compressed contents are damaged", cause);
  }
  if (contents.length !== size) {
    throw corrupt(place, `decompressed to ${contents.length} bytes instead of ${size}`);
  }
  return contents;
}

/** Whether `contentsOf` would decompress the section. */
export function isCompressed(section: ElfSection): boolean {
  return (section.flags & SHF.COMPRESSED) !== 0 || isZdebug(section);
}

const ZLIB_MAGIC = "ZLIB";

function isZdebug({ name, data }: ElfSection): boolean {
  return name.startsWith(".zdebug_") && data.length >= 12 && data.toString("latin1", 0, 4) === ZLIB_MAGIC;
}

type Unpack = (packed: Buffer, options: { maxOutputLength: number; chunkSize: number }) => Buffer;

interface Compression {
  readonly place: Place;
  readonly packed: Buffer;
  /** Decompressed, bytes, as the file has it. */
  readonly size: number;
  readonly unpack: Unpack;
}

function compression(file: ElfFile, section: ElfSection): Compression | undefined {
  const place = { file: file.name, section };
  const { data } = section;
  if ((section.flags & SHF.COMPRESSED) !== 0) {
    if (data.length < RECORD.COMPRESSION_HEADER) throw corrupt(place, "no room for the compression header");
    const little = file.header.endian === "little";
    const view = viewOf(data);
    return {
      place,
      packed: data.subarray(RECORD.COMPRESSION_HEADER),
      size: u64(view, 8, little),
      unpack: unpackerFor(view.getUint32(0, little), place),
    };
  }
  if (!isZdebug(section)) return undefined;
  return { place, packed: data.subarray(12), size: u64(viewOf(data), 4, false), unpack: zlib.inflateSync };
}

function unpackerFor(type: number, place: Place): Unpack {
  if (type === ELFCOMPRESS.ZLIB) return zlib.inflateSync;
  if (type !== ELFCOMPRESS.ZSTD) {
    throw unsupported(place, `unknown compression ${type}`, "decompress it with `objcopy --decompress-debug-sections`");
  }
  const { zstdDecompressSync } = zlib as { zstdDecompressSync?: Unpack };
  if (zstdDecompressSync !== undefined) return zstdDecompressSync;
  const hint = "use Node.js 22.15 or later, or `objcopy --decompress-debug-sections`";
  throw unsupported(place, "this Node.js has no zstd", hint);
}
