/** Which build a file on disk is, by its first pages. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { type ReadMemory, readMappedElf, tried } from "./mapped-elf.ts";

/** GNU build-id of an executable or a library, hexadecimal; undefined where there is no such file, or it has none. */
export function fileBuildId(path: string): string | undefined {
  return tried(() => {
    // What is no regular file is not waited for.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return openFileBuildId(file);
    } finally {
      closeSync(file);
    }
  });
}

/** The same of a file that is open. */
export function openFileBuildId(file: number): string | undefined {
  return tried(() => (fstatSync(file).isFile() ? readMappedElf(0, readerOf(file))?.buildId : undefined));
}

/** The first segment lies in the file as it does in memory, and has the headers and the notes. */
function readerOf(file: number): ReadMemory {
  return (address, size) => {
    const bytes = Buffer.alloc(size);
    if (readSync(file, bytes, 0, size, address) < size) throw new RangeError("the file ends early");
    return bytes;
  };
}
