/** What of the processor a process uses, as the kernel has told it at its start. */
import { readFileSync } from "node:fs";
import type { ThreadPointerSource } from "../../arch/x86_64/hook-stubs.ts";
import { SutureError } from "../../lib/error.ts";
import { livingDirectory } from "./thread-list.ts";

const AT_HWCAP2 = 26;
const FSGSBASE = 2;

/** Whether programs may read their thread pointer by an instruction, as the kernel tells every program. */
export function threadPointerSource(pid: number): ThreadPointerSource {
  let auxiliary: Buffer;
  try {
    auxiliary = readFileSync(`${livingDirectory(pid)}/auxv`);
  } catch (cause) {
    throw new SutureError("TARGET_GONE", "the process is no more", { where: `pid ${pid}`, cause });
  }
  for (let at = 0; at + 16 <= auxiliary.length; at += 16) {
    if (auxiliary.readUInt32LE(at) === AT_HWCAP2)
      return (auxiliary.readUInt32LE(at + 8) & FSGSBASE) !== 0 ? "rdfsbase" : "fs:0";
  }
  return "fs:0";
}

/** Whether the processor compares the program's return addresses with a stack of its own (CET); a program turns it on at its start. */
export function hasShadowStack(pid: number): boolean {
  const status = readFileSync(`${livingDirectory(pid)}/status`, "latin1");
  return /^x86_Thread_features:.*\bshstk\b/m.test(status);
}
