/** A user's source tree in a directory of our own. */
import { mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { throwIfAborted } from "../../lib/interrupt.ts";

/** What a build leaves behind, which would only be in the way. */
const MADE = /\.(o|ko|a|cmd|mod|order|symvers|tmp)$|^(vmlinux.*|System\.map|\.git|\.config)$/;

/** Real directories, with symlinks to the files: what make writes in them does not reach the source. */
export async function linkTree(
  { from, to }: { readonly from: string; readonly to: string },
  leftOut: ReadonlySet<string>,
  signal: AbortSignal | undefined,
  path = "",
): Promise<void> {
  throwIfAborted(signal);
  await mkdir(join(to, path), { recursive: true });
  for (const entry of await readdir(join(from, path), { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (MADE.test(entry.name) || leftOut.has(inner)) continue;
    if (entry.isDirectory()) await linkTree({ from, to }, leftOut, signal, inner);
    else await symlink(join(from, inner), join(to, inner));
  }
}
