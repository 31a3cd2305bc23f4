/** The modules that make has left beside their objects, laid out as they would be installed. */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Fills `to`, which is made: lists, and a link for each module that is there. None are, where none were built. */
export async function linkModules(build: string, to: string): Promise<void> {
  await mkdir(join(to, "kernel"), { recursive: true });
  const builtIn = join(build, "modules.builtin");
  if (existsSync(builtIn)) await copyFile(builtIn, join(to, "modules.builtin"));
  const order = await readFile(join(build, "modules.order"), "utf8").catch(() => "");
  const modules = order
    .split("\n")
    .filter((line) => line !== "")
    .flatMap((line) => pathsOf(line).find((path) => existsSync(join(build, path))) ?? []);
  for (const path of modules) {
    await mkdir(join(to, "kernel", dirname(path)), { recursive: true });
    await symlink(join(build, path), join(to, "kernel", path));
  }
  await writeFile(join(to, "modules.order"), modules.map((path) => `kernel/${path}\n`).join(""));
}

/** The list has objects for modules since Linux 6.2, and has had `kernel/` before each path, where there is a folder of that name too. */
function pathsOf(line: string): string[] {
  const path = line.replace(/\.o$/, ".ko");
  return [path, path.replace(/^kernel\//, "")];
}
