/** The Debian package: what it has is laid out here, and debhelper makes the package of it. */
import { copyFile, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { commands } from "../src/cli/commands.ts";
import { completionScript } from "../src/cli/completion/script.ts";
import { manualPages } from "../src/cli/manual.ts";
import { run } from "../src/lib/run.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import { VERSION } from "../src/lib/version.ts";
import { installProgram } from "./installed-program.ts";
import { licences } from "./node-packages.ts";

const ROOT = join(import.meta.dirname, "..");
const PACKAGING = import.meta.dirname;

/**
 * Writes the package to a directory, and returns its path. The same sources give
 * the same bytes: what has a time has that of the last commit, or
 * $SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/).
 */
export async function debianPackage(output: string): Promise<string> {
  const seconds = await sourceDate();
  const date = new Date(seconds * 1000);
  await using directory = await temporaryDirectory();
  const stage = join(directory.path, "suture");
  await cp(join(PACKAGING, "debian"), join(stage, "debian"), { recursive: true });
  await writeFile(join(stage, "debian/changelog"), await changelog(date));
  await manual(join(stage, "man"), date);
  const tree = join(stage, "tree");
  await installProgram(join(tree, "usr/lib/suture"));
  await cp(join(PACKAGING, "systemd"), join(tree, "lib/systemd/system"), { recursive: true });
  await completions(join(tree, "usr/share"));
  await documentation(join(tree, "usr/share/doc/suture"));
  await run("make", ["-f", "debian/rules", "binary"], {
    cwd: stage,
    env: { SOURCE_DATE_EPOCH: String(seconds), DEB_RULES_REQUIRES_ROOT: "no" },
    check: true,
  });
  const name = `suture_${VERSION}_amd64.deb`;
  const path = resolve(output, name);
  await copyFile(join(directory.path, name), path);
  return path;
}

/** Seconds since 1970. Throws `PROGRAM_FAILED` where neither git nor the environment knows. */
async function sourceDate(): Promise<number> {
  const given = process.env["SOURCE_DATE_EPOCH"];
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  const { stdout } = await run("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, check: true });
  return Number(stdout);
}

async function completions(share: string): Promise<void> {
  const files = {
    bash: "bash-completion/completions/suture",
    zsh: "zsh/vendor-completions/_suture",
    fish: "fish/vendor_completions.d/suture.fish",
  } as const;
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const path = join(share, files[shell]);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, completionScript(shell, commands));
  }
}

async function manual(directory: string, date: Date): Promise<void> {
  await mkdir(directory);
  for (const { file, text } of manualPages(commands, date.toISOString().slice(0, 10)))
    await writeFile(join(directory, file), text);
}

async function documentation(directory: string): Promise<void> {
  await cp(join(ROOT, "docs"), join(directory, "docs"), { recursive: true });
  for (const page of ["README.md", "CHANGELOG.md"]) await copyFile(join(ROOT, page), join(directory, page));
  await mkdir(join(directory, "licences"));
  for (const { name, text } of await licences(ROOT))
    await writeFile(join(directory, "licences", name.replaceAll("/", "-")), text);
}

/** Debian's form of it: debhelper has the package's name and version of it. */
async function changelog(date: Date): Promise<string> {
  const control = await readFile(join(PACKAGING, "debian/control"), "utf8");
  const maintainer = /^Maintainer: (.*)$/m.exec(control)?.[1];
  return [
    `suture (${VERSION}) unstable; urgency=medium`,
    "",
    "  * What has changed is told in /usr/share/doc/suture/CHANGELOG.md.",
    "",
    ` -- ${maintainer}  ${date.toUTCString().replace("GMT", "+0000")}`,
    "",
  ].join("\n");
}
