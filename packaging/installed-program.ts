/** The program as the Debian package has it. */
import { copyFile, cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../src/lib/run.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import { bundle, NOT_BUNDLED } from "./bundle.ts";
import { copyNodePackage } from "./node-packages.ts";

const ROOT = join(import.meta.dirname, "..");

/** Fills `home` with the command, what it has not been bundled with, and the Node on which it runs. */
export async function installProgram(home: string): Promise<void> {
  const compiler = join(ROOT, "node_modules/.bin/tsc");
  await using compiled = await temporaryDirectory();
  const options = ["-p", "tsconfig.build.json", "--declaration", "false", "--outDir", compiled.path];
  await run(compiler, options, { cwd: ROOT, check: true });
  await bundle(compiled.path, join(home, "dist/command"));
  await mkdir(join(home, "bin"));
  await copyFile(join(ROOT, "bin/suture"), join(home, "bin/suture"));
  await copyFile(join(ROOT, "node_modules/node/bin/node"), join(home, "bin/node"));
  await copyFile(join(ROOT, "package.json"), join(home, "package.json"));
  for (const each of ["include", "web"]) await cp(join(ROOT, each), join(home, each), { recursive: true });
  await copyNodePackage(ROOT, NOT_BUNDLED, home);
}
