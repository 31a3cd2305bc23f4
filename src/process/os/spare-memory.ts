import { residentLibc } from "./libc.ts";

/** As malloc.h of the GNU C library has them. */
const M = { trimThreshold: -1, mmapThreshold: -3, arenaMax: -8 };
const KEPT = 64 * 1024;

/**
 * From now on the C library's allocator has one arena for all threads, and
 * gives back at once what is free: for what stays for months and works for
 * moments. A library without mallopt(3)'s parameters goes on as it is.
 */
export function spareMemory(): void {
  const { mallopt } = residentLibc();
  mallopt(M.arenaMax, 1);
  mallopt(M.trimThreshold, KEPT);
  mallopt(M.mmapThreshold, KEPT);
}
