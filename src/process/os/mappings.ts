import { readFileSync } from "node:fs";
import { SutureError } from "../../lib/error.ts";
import { livingDirectory } from "./thread-list.ts";

/** A line of /proc/PID/maps: proc_pid_maps(5). */
export interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  /** What is written is seen by others. */
  readonly isShared?: boolean;
  /** In the file, bytes. */
  readonly offset: number;
  /** `major:minor`, as the kernel writes it, hexadecimal. */
  readonly device: string;
  /** 0 where there is no file. */
  readonly inode: number;
  /** Path as the process sees it, `[stack]` and the like, or nothing. */
  readonly name: string;
}

/** Mappings in the order of their addresses. Throws what fs throws where the process is no more or may not be read. */
export function readMappings(pid: number): Mapping[] {
  const text = readFileSync(`/proc/${pid}/maps`, "latin1");
  if (text !== "") return parseMappings(text);
  // The first thread has ended, or it is a thread of the kernel.
  const directory = livingDirectory(pid);
  return directory === `/proc/${pid}` ? [] : parseMappings(readFileSync(`${directory}/maps`, "latin1"));
}

/** The same. Throws `TARGET_GONE`. */
export function mappingsOf(pid: number): Mapping[] {
  try {
    return readMappings(pid);
  } catch (cause) {
    throw new SutureError("TARGET_GONE", "the process is no more", { where: `pid ${pid}`, cause });
  }
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) (r|-)(w|-)(x|-)([ps]) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+)(?: +([^\n]*))?$/gm;

/** Lines of another form are passed over. */
export function parseMappings(text: string): Mapping[] {
  const mappings: Mapping[] = [];
  for (const [
    ,
    start = "",
    end = "",
    r,
    w,
    x,
    sharing,
    offset = "",
    device = "",
    inode = "",
    name = "",
  ] of text.matchAll(LINE)) {
    mappings.push({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      readable: r === "r",
      writable: w === "w",
      executable: x === "x",
      isShared: sharing === "s",
      offset: Number.parseInt(offset, 16),
      device,
      inode: Number(inode),
      name: decoded(name),
    });
  }
  return mappings;
}

/** The kernel writes a newline in a name as \012; the bytes are those of the file system, mostly UTF-8. */
function decoded(name: string): string {
  if (!/[\\\x80-\xff]/.test(name)) return name;
  return Buffer.from(name.replaceAll("\\012", "\n"), "latin1").toString("utf8");
}
