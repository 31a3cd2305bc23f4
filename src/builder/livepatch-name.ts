import { basename } from "node:path";
import type { DiffText } from "../source/diffs/diff-parse.ts";

interface Naming {
  readonly name: string | undefined;
  /** Path of the livepatch. */
  readonly output: string | undefined;
  readonly diffs: readonly DiffText[];
}

/** As it was given, or from the file's name, or from the first diff's. A module's name is an identifier of the kernel's; the loader has room for 55 characters of it. */
export function livepatchName({ name, output, diffs }: Naming): string {
  const given = name ?? (output === undefined ? `livepatch-${basename(diffs[0]?.name ?? "patch")}` : basename(output));
  const bare = given.replace(/\.(ko|o|patch|diff|txt)$/g, "").replace(/[^A-Za-z0-9_]+/g, "_");
  return bare.slice(0, 55).replace(/_+$/, "") || "livepatch";
}
