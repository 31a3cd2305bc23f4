import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";
import type { Kernel } from "../../provider/kernel/kernel.ts";

const PACKED = ["", ".xz", ".zst", ".gz"] as const;

/**
 * The shipped module's bytes, by its path in the tree without .ko, as
 * `Unit.lands` has it. Throws `MODULE_NOT_SHIPPED`.
 */
export async function readModule(kernel: Kernel, path: string, signal?: AbortSignal): Promise<Buffer> {
  const file = modulePath(kernel, path);
  if (file.endsWith(".xz")) return (await run("xz", ["-dc", file], { check: true, signal })).bytes;
  if (file.endsWith(".zst")) return (await run("zstd", ["-dcq", file], { check: true, signal })).bytes;
  const data = await readFile(file);
  return file.endsWith(".gz") ? await promisify(gunzip)(data) : data;
}

/** The file of a shipped module, which may be compressed: `.ko`, `.ko.xz`, `.ko.zst`, `.ko.gz`. */
export function modulePath(kernel: Kernel, path: string): string {
  const candidates = [join(kernel.modules, "kernel", path), join(kernel.modules, path)];
  for (const candidate of candidates) {
    for (const ending of PACKED) {
      if (existsSync(`${candidate}.ko${ending}`)) return `${candidate}.ko${ending}`;
    }
  }
  throw new SutureError("MODULE_NOT_SHIPPED", `the kernel's modules have no ${path}.ko`, {
    where: join(kernel.modules, "kernel"),
    hint: "it may be in another package of the kernel: name a directory that has it with --modules",
  });
}
