/** Which kernel runs, and from which build its modules are. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { notesOf } from "../../elf/notes.ts";
import { readIfThere } from "./sysfs.ts";

/** For instance `6.1.0-1-amd64`. `root` is the root of the file system. */
export async function releaseOf(root: string): Promise<string> {
  return (await readIfThere(join(root, "proc/sys/kernel/osrelease")))?.trim() ?? "";
}

/** The running kernel's, hexadecimal. */
export async function kernelBuildId(root: string): Promise<string | undefined> {
  return await buildIdIn(join(root, "sys/kernel/notes"));
}

const NT_GNU_BUILD_ID = 3;

/** GNU build-id in a file of notes, hexadecimal; undefined where it cannot be read. */
export async function buildIdIn(path: string): Promise<string | undefined> {
  const data = await readFile(path).catch(() => undefined);
  if (data === undefined) return undefined;
  const notes = notesOf(data, "little", 4, { file: path });
  return notes.find(({ owner, type }) => owner === "GNU" && type === NT_GNU_BUILD_ID)?.description.toString("hex");
}
