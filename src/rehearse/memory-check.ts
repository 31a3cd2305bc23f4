/** What the memory of a guest is compared with: the livepatch's own file and the layouts of the kernel's structs. */
import { readFile } from "node:fs/promises";
import { memoryFindings } from "../audit/memory.ts";
import type { KernelLayouts } from "../btf/kernel-layouts.ts";
import { readSealed } from "../patch/digest.ts";
import { readMetadata } from "../patch/read-metadata.ts";
import type { MemoryCheck } from "./guest-rehearsal.ts";

/**
 * @param path of a livepatch that suture built
 * @param layouts path of the kernel's, as JSON
 */
export async function memoryCheck(path: string, layouts: string): Promise<MemoryCheck> {
  const file = readSealed(await readFile(path), path);
  const metadata = readMetadata(file);
  const structs = JSON.parse(await readFile(layouts, "utf8")) as KernelLayouts;
  return async (memory) => (await memoryFindings(file, metadata, structs, memory)).map(({ what }) => what);
}
