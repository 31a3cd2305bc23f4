/** The patches that Debian's -rt kernels have and its source packages' trees do not: those of debian/patches-rt. */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";
import type { KernelOptions } from "../kernel/kernel-source.ts";
import type { SourceName } from "./debian-packages.ts";
import { sourceArchive } from "./source-archive.ts";
import { askSuites, suiteSources } from "./suites.ts";

/**
 * Downloads the packaging of one version of the kernel, and gives its patches
 * for real time as one text, in their order. Throws `PACKAGE_MISSING` where no
 * suite has it.
 *
 * @param directory for what is downloaded; it is removed afterwards
 */
export async function realTimePatches(
  { name, version }: SourceName,
  directory: string,
  options: KernelOptions,
): Promise<string> {
  await mkdir(directory, { recursive: true });
  options.progress.step(`downloading the patches for real time of ${version}`);
  const packaging = await downloadPackaging({ name, version }, directory, options);
  const patches = "debian/patches-rt";
  await run("tar", ["--extract", `--file=${packaging}`, `--directory=${directory}`, patches], {
    signal: options.signal,
  });
  const at = (file: string): string => join(directory, patches, file);
  const series = await readFile(at("series"), "utf8").catch(() => "");
  const names = series.split("\n").flatMap((line) => /^[^#\s]\S*/.exec(line) ?? []);
  if (names.length === 0)
    throw new SutureError("PACKAGE_UNUSABLE", `the packaging of ${name} ${version} has no patches for real time`, {
      where: patches,
      hint: "give the patched tree, and the kernel's headers, image and modules, as a custom kernel",
    });
  const texts = await Promise.all(names.map((patch) => readFile(at(patch), "utf8")));
  await rm(directory, { recursive: true });
  return texts.join("\n");
}

async function downloadPackaging(
  { name, version }: SourceName,
  directory: string,
  options: KernelOptions,
): Promise<string> {
  const { cache, signal } = options;
  const spec = `${name}=${version}`;
  const download = async (options: readonly string[]): Promise<string | undefined> => {
    const args = [...options, "-q", "--only-source", "--download-only", "--diff-only", "source", spec];
    const fetched = await run("apt-get", args, { cwd: directory, signal });
    const [file] = (await readdir(directory)).filter((each) => /\.debian\.tar\.\w+$/.test(each));
    return fetched.exitCode === 0 && file !== undefined ? join(directory, file) : undefined;
  };
  const inSuites = await askSuites(options, async (suites) => {
    for (const suite of suites) {
      const all = await suite.archive.show(`linux-source-${/^\d+\.\d+/.exec(version)?.[0] ?? ""}`);
      if (!all.some((each) => each["Version"] === version)) continue;
      const found = await download(await suiteSources(suite, cache, signal));
      if (found !== undefined) return found;
    }
    return undefined;
  });
  const file = inSuites ?? (await download((await sourceArchive(cache, signal)).options));
  if (file !== undefined) return file;
  throw new SutureError("PACKAGE_MISSING", `the archive has no source ${name} of version ${version}`, {
    where: "-rt kernels are built with patches that come with it alone",
    hint: "old versions leave the archive with time: take a newer kernel release",
  });
}

/**
 * Applies patches, exactly, to a tree that lacks some folders. Throws
 * `SOURCE_OF_ANOTHER_KERNEL` where one of them is for another tree.
 */
export async function applyPatches(
  patches: string,
  tree: string,
  leftOut: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const input = partsOf(patches)
    .filter((part) => !leftOut.some((path) => pathOf(part).startsWith(`${path}/`)))
    .join("");
  const args = ["--strip=1", "--fuzz=0", "--batch", "--forward", "--no-backup-if-mismatch", "--reject-file=-"];
  const applied = await run("patch", args, { cwd: tree, input, signal });
  if (applied.exitCode === 0) return;
  throw new SutureError("SOURCE_OF_ANOTHER_KERNEL", "the patches for real time do not apply to the source", {
    where: applied.stdout
      .split("\n")
      .filter((line) => /FAILED|can't find|Reversed/.test(line))
      .slice(0, 3)
      .join("; "),
    hint: "give the patched tree, and the kernel's headers, image and modules, as a custom kernel",
  });
}

/** One for each file that a patch changes. */
function partsOf(patches: string): string[] {
  return patches.split(/^(?=--- \S.*\n\+\+\+ \S)/m).slice(1);
}

/** Of the file that is there before or after, without the first of its folders. */
function pathOf(part: string): string {
  const [, before = "", after = ""] = /^--- (\S+).*\n\+\+\+ (\S+)/.exec(part) ?? [];
  return (after === "/dev/null" ? before : after).replace(/^[^/]*\//, "");
}
