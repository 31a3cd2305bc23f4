/**
 * The kernel's livepatches as sysfs shows them: the kernel's
 * Documentation/ABI/testing/sysfs-kernel-livepatch. Anything may go away
 * between two looks.
 */
import { constants } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "../../lib/error.ts";

/** Relative to the root of the file system. */
export const LIVEPATCHES = "sys/kernel/livepatch";

/** One directory below /sys/kernel/livepatch. The kernel takes it away once the patch is disabled. */
export interface SysfsPatch {
  readonly name: string;
  /** Where a transition goes on: which way it goes. */
  readonly enabled: boolean;
  readonly transition: boolean;
  readonly objects: readonly PatchedObject[];
}

/** One object that a patch names, loaded or not. */
export interface PatchedObject {
  readonly name: string;
  /** Whether it is loaded and its functions are redirected; undefined where the kernel does not tell. */
  readonly patched: boolean | undefined;
  readonly funcs: readonly { readonly name: string; readonly sympos: number }[];
}

/** Every livepatch that is there. `root` is the root of the file system. */
export async function readPatches(root: string): Promise<SysfsPatch[]> {
  const names = await directoriesIn(join(root, LIVEPATCHES));
  const patches = await Promise.all(names.map((name) => readPatch(root, name)));
  return patches.filter((patch) => patch !== undefined);
}

/** undefined where there is no patch of that name. */
export async function readPatch(root: string, name: string): Promise<SysfsPatch | undefined> {
  if (!/^\w+$/.test(name)) return undefined;
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

/**
 * Asks the kernel for a change of a patch. `busy`: another patch's transition goes
 * on. `no`: the patch is gone, or is in that state already, or cannot get there.
 *
 * Throws `NOT_PERMITTED`.
 */
export async function writeFlag(
  root: string,
  patch: string,
  file: "enabled" | "force",
  value: "0" | "1",
): Promise<"done" | "busy" | "no"> {
  const path = join(root, LIVEPATCHES, patch, file);
  try {
    // For writing alone: sysfs gives no more than its mode says, to root as well, and force may not be read.
    await writeFile(path, value, { flag: constants.O_WRONLY });
    return "done";
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "EBUSY") return "busy";
    if (isGone(error) || code === "EINVAL") return "no";
    if (code === "EACCES" || code === "EPERM")
      throw new SutureError("NOT_PERMITTED", `only root may change ${patch}`, { where: path, cause: error });
    throw error;
  }
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
