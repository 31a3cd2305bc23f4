/**
 * The kernel's livepatches as sysfs shows them: the kernel's
 * Documentation/ABI/testing/sysfs-kernel-livepatch. Anything may go away
 * between two looks.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PatchedObject } from "../target.ts";

/** Relative to the root of the file system. */
export const LIVEPATCHES = "sys/kernel/livepatch";

export interface SysfsPatch {
  readonly name: string;
  readonly enabled: boolean;
  readonly transition: boolean;
  readonly objects: readonly PatchedObject[];
}

/** Every livepatch that is there. `root` is the root of the file system. */
export async function readPatches(root: string): Promise<SysfsPatch[]> {
  const names = await directoriesIn(join(root, LIVEPATCHES));
  const patches = await Promise.all(names.map((name) => readPatch(root, name)));
  return patches.filter((patch) => patch !== undefined);
}

/** undefined where there is no patch of that name. */
export async function readPatch(root: string, name: string): Promise<SysfsPatch | undefined> {
  const directory = join(root, LIVEPATCHES, name);
  const [enabled, transition, objects] = await Promise.all([
    readFlag(join(directory, "enabled")),
    readFlag(join(directory, "transition")),
    directoriesIn(directory),
  ]);
  if (enabled === undefined || transition === undefined) return undefined;
  return {
    name,
    enabled,
    transition,
    objects: await Promise.all(objects.map((object) => readObject(directory, object))),
  };
}

async function readObject(directory: string, name: string): Promise<PatchedObject> {
  const [patched, funcs] = await Promise.all([
    readFlag(join(directory, name, "patched")),
    directoriesIn(join(directory, name)),
  ]);
  return { name, patched, funcs: funcs.map(funcOf) };
}

/** A func's directory is called `function,sympos`. */
function funcOf(directory: string): { name: string; sympos: number } {
  const comma = directory.lastIndexOf(",");
  return { name: directory.slice(0, comma), sympos: Number(directory.slice(comma + 1)) };
}

async function directoriesIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

async function readFlag(path: string): Promise<boolean | undefined> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : text.trim() !== "0";
}

/** undefined where the file, or the task that it is about, is not there. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ENODEV", "ESRCH", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
}
