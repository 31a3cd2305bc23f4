/**
 * The kernel's livepatches as sysfs shows them: the kernel's
 * Documentation/ABI/testing/sysfs-kernel-livepatch. Anything may go away
 * between two looks.
 */
import { constants, type Dirent } from "node:fs";
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

/**
 * The files below a directory, by their paths below it, as they were read together; the
 * name of a directory ends with a slash, and it has no contents.
 */
export type FileTree = ReadonlyMap<string, string>;

/** The patch whose directory holds these; undefined where that is not there, or goes away. */
export function patchIn(name: string, tree: FileTree): SysfsPatch | undefined {
  const flag = (path: string): boolean | undefined => {
    const text = tree.get(path);
    return text === undefined ? undefined : text.trim() !== "0";
  };
  const directories = [...tree.keys()].filter((path) => path.endsWith("/")).map((path) => path.slice(0, -1));
  const [enabled, transition] = [flag("enabled"), flag("transition")];
  if (enabled === undefined || transition === undefined) return undefined;
  const objects = directories.filter((path) => !path.includes("/"));
  return {
    name,
    enabled,
    transition,
    objects: objects.map((object) => ({
      name: object,
      patched: flag(`${object}/patched`),
      funcs: directories
        .filter((path) => path.startsWith(`${object}/`))
        .map((path) => funcOf(path.slice(object.length + 1))),
    })),
  };
}

/** Every livepatch that is there. `root` is the root of the file system. */
export async function readPatches(root: string): Promise<SysfsPatch[]> {
  const names = (await entriesIn(join(root, LIVEPATCHES))).filter((entry) => entry.isDirectory());
  const patches = await Promise.all(names.map(({ name }) => readPatch(root, name)));
  return patches.filter((patch) => patch !== undefined);
}

/** undefined where there is no patch of that name. */
export async function readPatch(root: string, name: string): Promise<SysfsPatch | undefined> {
  if (!/^\w+$/.test(name)) return undefined;
  return patchIn(name, new Map(await filesBelow(join(root, LIVEPATCHES, name), "")));
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

/** A func's directory is called `function,sympos`. */
function funcOf(directory: string): { name: string; sympos: number } {
  const comma = directory.lastIndexOf(",");
  return { name: directory.slice(0, comma), sympos: Number(directory.slice(comma + 1)) };
}

/** By name, where the sections of a loaded module lie; none where only root may know. */
export async function sectionsOf(root: string, module: string): Promise<ReadonlyMap<string, bigint>> {
  const directory = join(root, "sys/module", module, "sections");
  const sections = new Map<string, bigint>();
  for (const name of await readdir(directory).catch(() => [])) {
    const text = (await readFile(join(directory, name), "utf8").catch(() => "")).trim();
    if (/^0x[0-9a-f]{1,16}$/.test(text)) sections.set(name, BigInt(text));
  }
  return sections;
}

/** Files for writing alone are left out. */
async function filesBelow(directory: string, prefix: string): Promise<[path: string, text: string][]> {
  const found = (await entriesIn(directory)).map(async (entry): Promise<[string, string][]> => {
    const [path, file] = [`${prefix}${entry.name}`, join(directory, entry.name)];
    if (entry.isDirectory()) return [[`${path}/`, ""], ...(await filesBelow(file, `${path}/`))];
    const text = WRITE_ONLY.has(entry.name) ? undefined : await readIfThere(file);
    return text === undefined ? [] : [[path, text]];
  });
  return (await Promise.all(found)).flat();
}

const WRITE_ONLY = new Set(["force"]);

async function entriesIn(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
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
