import { fstatSync, openSync, readSync } from "node:fs";
import { type ImageBytes, type ImageLayout, segmentOf } from "./image-layout.ts";
import type { TargetMemory } from "./target-memory.ts";

/** An open file. The caller closes it. */
export interface ImageFile extends ImageBytes {
  readonly fd: number;
  /** Two files with the same identity hold the same. */
  readonly identity: string;
  readonly device: bigint;
  readonly inode: bigint;
}

/** Throws what fs throws. */
export function openImage(path: string, name: string): ImageFile {
  const fd = openSync(path, "r");
  const { dev, ino, size, mtimeNs, ctimeNs } = fstatSync(fd, { bigint: true });
  const fileSize = Number(size);
  const atOffset = (offset: number, length: number): Buffer | undefined => {
    if (!(offset + length <= fileSize)) return undefined;
    const data = Buffer.allocUnsafeSlow(length);
    return readSync(fd, data, 0, length, offset) === length ? data : undefined;
  };
  const identity = [dev, ino, size, mtimeNs, ctimeNs].join(":");
  return { fd, identity, device: dev, inode: ino, name, atOffset, atAddress: (...at) => fromFile(atOffset, ...at) };
}

function fromFile(
  atOffset: ImageBytes["atOffset"],
  address: number,
  length: number,
  layout: ImageLayout,
): Buffer | undefined {
  const segment = segmentOf(layout, address);
  if (segment === undefined || address + length > segment.address + segment.fileSize) return undefined;
  return atOffset(segment.offset + address - segment.address, length);
}

/** Read in pieces, since what reads a stack need not take megabytes at once. */
const PIECE = 1 << 16;

/** An image where it is mapped: `start` is the address of its first byte, the ELF header. */
export function mappedImage(memory: TargetMemory, start: number, name: string): ImageBytes {
  const read = (from: number, length: number): Buffer | undefined => {
    const pieces: Buffer[] = [];
    for (let done = 0; done < length; done += PIECE) {
      const piece = memory.read(from + done, Math.min(PIECE, length - done));
      if (piece === undefined) return undefined;
      pieces.push(Buffer.from(piece));
    }
    return Buffer.concat(pieces);
  };
  return {
    name,
    atOffset: (offset, length) => read(start + offset, length),
    atAddress: (address, length, layout) => read(start + address - firstAddress(layout), length),
  };
}

/** Of the first byte of the file, as the file numbers addresses. */
function firstAddress({ segments }: ImageLayout): number {
  const first = segments[0];
  return first === undefined ? 0 : first.address - first.offset;
}
