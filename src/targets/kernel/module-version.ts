/** What number a livepatch of the kernel has that is loaded. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { versionNumber } from "../../patch/livepatch-file.ts";

/**
 * The livepatch's own version (`version=` of its modinfo), enabled or not; 0 where it is there and
 * was not numbered, undefined where it is not loaded. `root` is the root of the file system.
 */
export function loadedVersion(root: string, name: string): number | undefined {
  if (!/^\w+$/.test(name)) return undefined;
  const module = join(root, "sys/module", name);
  // What is built in has no such file.
  if (textOf(join(module, "initstate")) === undefined) return undefined;
  return versionNumber(textOf(join(module, "version"))?.trim());
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
