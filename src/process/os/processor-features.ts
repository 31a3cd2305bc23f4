/** What of the processor a process uses, as the kernel has told it at its start. */
import { readFileSync } from "node:fs";
import type { ThreadPointerSource } from "../../arch/hook-abi.ts";
import { SutureError } from "../../lib/error.ts";
import { nativeHook } from "./native.ts";
import { livingDirectory } from "./thread-list.ts";

const AT_HWCAP2 = 26;

/** How programs may read their thread pointer, as the kernel tells every program. Throws `TARGET_GONE`. */
export function threadPointerSource(pid: number): ThreadPointerSource {
  return nativeHook().threadPointerSource(auxiliaryValue(pid, AT_HWCAP2) ?? 0);
}

/** A value of the auxiliary vector: getauxval(3). undefined where it has none of that type. Throws `TARGET_GONE`. */
function auxiliaryValue(pid: number, type: number): number | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(`${livingDirectory(pid)}/auxv`);
  } catch (cause) {
    throw new SutureError("TARGET_GONE", "the process is no more", { where: `pid ${pid}`, cause });
  }
  return valueIn(bytes, type);
}

/** @param bytes pairs of words, as /proc/PID/auxv has them */
export function valueIn(bytes: Buffer, type: number): number | undefined {
  const words = new BigUint64Array(
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length - (bytes.length % 16)),
  );
  for (let at = 0; at < words.length; at += 2) if (words[at] === BigInt(type)) return Number(words[at + 1]);
  return undefined;
}

/** Whether the processor compares the program's return addresses with a stack of its own; a program turns it on at its start. */
export function hasShadowStack(pid: number): boolean {
  return nativeHook().hasShadowStack(readFileSync(`${livingDirectory(pid)}/status`, "latin1"));
}
