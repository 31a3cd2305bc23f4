/** A program built from a package's source with one fix left out, as it was just before that fix. */
import { existsSync } from "node:fs";
import { copyFile, mkdir, rm, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { run } from "../../../src/lib/run.ts";
import { withoutUnasked } from "../../../src/provider/debian/unasked-files.ts";
import type { Rebuild } from "./fix.ts";

/**
 * Takes the diffs out of the built source below `directory`, builds again what
 * depends on them, and copies the program to `to`. The source stays so, for
 * the livepatch is made from it; `putBack` makes it whole again.
 */
export async function leaveOut(
  directory: string,
  diffs: readonly string[],
  rebuild: Rebuild,
  to: string,
): Promise<void> {
  const root = join(directory, rebuild.below ?? ".");
  await putBack(directory, rebuild);
  const { strip = 1 } = rebuild;
  const files = await filesOf(root, diffs, strip);
  const kept = keptIn(directory);
  for (const file of files) {
    await mkdir(dirname(join(kept, file)), { recursive: true });
    await copyFile(join(root, file), join(kept, file));
  }
  await writeFile(join(kept, LIST), files.join("\n"));
  for (const diff of diffs.toReversed()) await patched(root, diff, [`-p${strip}`, "-R"]);
  await touch(root, files);
  await build(directory, rebuild);
  await stripped(join(root, rebuild.program), to);
  for (const each of rebuild.beside ?? []) await stripped(join(root, each), join(dirname(to), basename(each)));
}

/** As dh_strip does it. */
async function stripped(program: string, to: string): Promise<void> {
  await run("strip", ["-R", ".comment", "-R", ".note", "-o", to, program], { check: true });
}

const LIST = "FILES";

function keptIn(directory: string): string {
  return `${directory}.kept`;
}

/** Undoes what `leaveOut` did to the source, also after it was interrupted. */
export async function putBack(directory: string, rebuild: Rebuild): Promise<void> {
  const kept = keptIn(directory);
  if (existsSync(join(kept, LIST))) {
    const { stdout } = await run("cat", [join(kept, LIST)], { check: true });
    const root = join(directory, rebuild.below ?? ".");
    const files = stdout.split("\n");
    for (const file of files) await copyFile(join(kept, file), join(root, file));
    await touch(root, files);
  }
  await rm(kept, { recursive: true, force: true });
}

async function build(directory: string, { below = ".", command }: Rebuild): Promise<void> {
  await using hidden = await withoutUnasked(directory, undefined);
  const nice = ["nice", "-n", "10", ...command];
  const [program = "", ...args] = hidden?.command(nice) ?? nice;
  const env = { ...ENVIRONMENT, PWD: join(directory, below) };
  await run(program, args, { cwd: env.PWD, env, check: true });
}

const ENVIRONMENT = { DEB_BUILD_OPTIONS: "nocheck parallel=1", DEB_BUILD_PROFILES: "nocheck" };

/** Files below `root` that the diffs change; what is not there is a test or a page of the manual that the build copied nowhere. */
async function filesOf(root: string, diffs: readonly string[], strip: number): Promise<string[]> {
  const files = new Set<string>();
  for (const diff of diffs) {
    const { stdout } = await run("grep", ["-hE", "^\\+\\+\\+ ", diff], { check: true });
    for (const line of stdout.trim().split("\n")) {
      const path = (line.slice(4).split(/\s/)[0] ?? "").split("/").slice(strip).join("/");
      if (existsSync(join(root, path))) files.add(path);
    }
  }
  return [...files];
}

async function patched(root: string, diff: string, options: readonly string[]): Promise<void> {
  await run("patch", ["-f", "-s", "--no-backup-if-mismatch", "-r", "-", ...options, "-i", diff], {
    cwd: root,
    check: true,
  });
}

/** make compares times: what was put back has to be newer than what was built from it. A file that a diff makes is gone without it. */
async function touch(root: string, files: readonly string[]): Promise<void> {
  const now = new Date();
  for (const file of files.filter((each) => existsSync(join(root, each)))) await utimes(join(root, file), now, now);
}
