import { readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Kbuild, makeDirectory } from "../../src/provider/kernel/kbuild.ts";

/** The object that kbuild makes of a file, with a section for each function and variable unless it is plain. */
export async function compiled(kbuild: Kbuild, file: string, isPlain: boolean): Promise<Buffer> {
  const object = file.replace(/c$/, "o");
  const flags = `${kbuild.environment["KBUILD_CFLAGS"] ?? ""} -g0`;
  const environment = {
    ...kbuild.environment,
    KBUILD_CFLAGS: isPlain ? flags : `${flags} -ffunction-sections -fdata-sections`,
    // The time of day and the like are in none of these files.
    KBUILD_BUILTIN: "1",
  };
  const path = join(kbuild.tree, object);
  await rm(path, { force: true });
  const made = await makeDirectory({ ...kbuild, environment }, dirname(file), ["Q=@", "quiet=silent_", object]);
  if (made.exitCode !== 0) throw new Error(`${file} does not compile: ${made.stderr.slice(-2000)}`);
  return await readFile(path);
}
