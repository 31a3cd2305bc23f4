/** Debian packages to files, without installing them. */
import { mkdir } from "node:fs/promises";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";

/** Unpacks all of a package below `directory`. */
export async function unpackPackage(deb: string, directory: string, signal?: AbortSignal): Promise<void> {
  await mkdir(directory, { recursive: true });
  await run("dpkg-deb", ["--extract", deb, directory], { check: true, signal });
}

const PIPELINE = `set -e -o pipefail
deb=$1 directory=$2; shift 2
dpkg-deb --fsys-tarfile "$deb" |
  tar --extract --to-stdout --wildcards './usr/src/linux-source-*.tar.xz' |
  xz --decompress --stdout --threads=0 |
  tar --extract --directory="$directory" --strip-components=1 --no-same-owner "$@"`;

/**
 * Unpacks the source tree that a linux-source package carries as a compressed
 * archive, without writing the archive, and without `leftOut`. Throws
 * `PACKAGE_UNUSABLE`.
 */
export async function unpackSource(
  deb: string,
  directory: string,
  leftOut: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const excludes = leftOut.map((path) => `--exclude=linux-source-*/${path}`);
  // So that sound is not include/sound as well.
  const exactly = ["--anchored", "--wildcards", "--no-wildcards-match-slash"];
  try {
    await run("bash", ["-c", PIPELINE, "bash", deb, directory, ...exactly, ...excludes], { check: true, signal });
  } catch (error) {
    signal?.throwIfAborted();
    const { stdout } = await run("dpkg-deb", ["--contents", deb], { check: true, signal });
    if (/\.\/usr\/src\/linux-source-[^/]*\.tar\.xz$/m.test(stdout)) throw error;
    throw new SutureError("PACKAGE_UNUSABLE", "the package does not hold usr/src/linux-source-*.tar.xz", {
      where: deb,
      hint: "remove that file, then fetch the kernel again",
    });
  }
}
