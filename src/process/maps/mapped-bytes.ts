/** What the file has that a process has mapped somewhere, which its memory may not have any more. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Mapping } from "../os/mappings.ts";
import { livingDirectory, livingTask } from "../os/thread-list.ts";

interface Mapped {
  readonly pid: number;
  readonly mappings: readonly Mapping[];
}

/** undefined where no file is mapped, or it cannot be read or not be told to be the same. */
export function mappedBytes({ pid, mappings }: Mapped, address: number, size: number): Buffer | undefined {
  try {
    const mapping = mappings.find(({ start, end }) => start <= address && address < end);
    if (mapping === undefined || mapping.inode === 0) return undefined;
    const fd = openMapped(pid, mapping);
    try {
      if (fstatSync(fd).ino !== mapping.inode) return undefined;
      const bytes = Buffer.alloc(Math.min(size, mapping.end - address));
      const count = readSync(fd, bytes, 0, bytes.length, address - mapping.start + mapping.offset);
      return bytes.subarray(0, count);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/** By the mapping itself, which needs privilege, or by its name. */
function openMapped(pid: number, { start, end, name }: Mapping): number {
  try {
    return openSync(`/proc/${livingTask(pid)}/map_files/${start.toString(16)}-${end.toString(16)}`, "r");
  } catch {
    return openSync(`${livingDirectory(pid)}/root${name}`, "r");
  }
}
