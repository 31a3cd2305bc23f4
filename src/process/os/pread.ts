/** pread(2) and pwrite(2) for descriptors of /proc/PID/mem, without the bookkeeping of node:fs. */
import { libc } from "./libc.ts";

/** Bytes read, or -1 with `errno()`. */
export function pread(fd: number, into: Buffer, count: number, offset: number): number {
  return Number(libc().pread(fd, into, count, offset));
}

/** Bytes written, or -1 with `errno()`. */
export function pwrite(fd: number, bytes: Uint8Array, offset: number): number {
  return Number(libc().pwrite(fd, bytes, bytes.length, offset));
}

/** Error number of the last call that has failed; to be asked at once. */
export function errno(): number {
  return libc().errno();
}
