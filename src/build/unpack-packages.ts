/** Debian packages to files, without installing them. */
import { mkdir } from "node:fs/promises";
import { run } from "../lib/run.ts";

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
 * archive, without writing the archive, and without `leftOut`.
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
  await run("bash", ["-c", PIPELINE, "bash", deb, directory, ...exactly, ...excludes], { check: true, signal });
}

/** Parts of a tree that are large and that code refers to only where a configuration says so. */
const OPTIONAL: readonly { readonly path: string; readonly option: string }[] = [
  { path: "drivers/gpu/drm/amd", option: "DRM_AMDGPU" },
  { path: "drivers/gpu/drm/i915", option: "DRM_I915" },
  { path: "drivers/gpu/drm/nouveau", option: "DRM_NOUVEAU" },
  { path: "drivers/gpu/drm/radeon", option: "DRM_RADEON" },
  { path: "drivers/gpu/drm/msm", option: "DRM_MSM" },
  { path: "sound", option: "SOUND" },
];

const NEVER = ["Documentation", "tools/perf", "tools/testing", "LICENSES"];

const OTHER_ARCHITECTURES = (
  "alpha arc arm arm64 avr32 blackfin c6x cris csky frv h8300 hexagon ia64 loongarch m32r m68k metag microblaze mips " +
  "mn10300 nds32 nios2 openrisc parisc powerpc riscv s390 score sh sparc tile um unicore32 xtensa"
).split(" ");

/** What of a source tree this configuration cannot build. */
export function cannotBuild(config: ReadonlyMap<string, string>): string[] {
  const optional = OPTIONAL.filter(({ option }) => !config.has(option)).map(({ path }) => path);
  return [...NEVER, ...OTHER_ARCHITECTURES.map((name) => `arch/${name}`), ...optional];
}
