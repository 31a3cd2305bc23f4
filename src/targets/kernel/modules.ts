/** The kernel's modules: which are there, and how one comes and goes. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../lib/run.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { readIfThere } from "./sysfs.ts";

/** A line of /proc/modules. */
export interface LoadedModule {
  readonly name: string;
  /** Bytes of memory. */
  readonly size: number;
  /** How many references keep it from being unloaded; those of `users` among them. */
  readonly references: number;
  /** Modules that use it. */
  readonly users: readonly string[];
  /** By the mark that the kernel gives to livepatches and takes from none (taint K). */
  readonly isLivepatch: boolean;
}

/** All that are loaded, the newest first. `root` is the root of the file system. Source: m_show in kernel/module/procfs.c. */
export async function readModules(root: string): Promise<LoadedModule[]> {
  const text = (await readIfThere(join(root, "proc/modules"))) ?? "";
  return text.split("\n").flatMap((line) => {
    const [name = "", size, references, users = "-"] = line.split(" ");
    if (name === "") return [];
    const taints = /\(([A-Z+-]+)\)$/.exec(line.trim())?.[1] ?? "";
    return [
      {
        name,
        size: Number(size),
        // A kernel that cannot unload modules writes a dash.
        references: references === "-" ? 1 : Number(references),
        users: users.split(",").filter((user) => user !== "" && user !== "-"),
        isLivepatch: taints.includes("K"),
      },
    ];
  });
}

/** undefined where no module of that name is loaded; `name` is spelled as the kernel does, with `_`. */
export async function readModule(root: string, name: string): Promise<LoadedModule | undefined> {
  return (await readModules(root)).find((module) => module.name === name);
}

/** Whether a livepatch that is disabled is kept in memory by itself. */
export function staysFor({ references, users }: LoadedModule): boolean {
  return references > users.length;
}

/** What has the kernel load and unload modules. Each answer is what was said where the kernel did not do it; undefined where it did. */
export interface ModuleLoader {
  /** @param data the file: the bytes that were read and checked, and no others that its path may lead to by now */
  insert(name: string, data: Buffer): Promise<string | undefined>;
  remove(name: string): Promise<string | undefined>;
}

/** The running kernel's, by insmod(8) and rmmod(8). */
export const moduleLoader: ModuleLoader = {
  async insert(name, data) {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, `${name}.ko`);
    await writeFile(path, data);
    const { exitCode, stderr } = await run("insmod", [path]);
    return exitCode === 0 ? undefined : stderr.replaceAll(path, `${name}.ko`).trim();
  },
  async remove(name) {
    const { exitCode, stderr } = await run("rmmod", [name]);
    return exitCode === 0 ? undefined : stderr.trim();
  },
};
