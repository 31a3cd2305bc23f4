import { archOfConfig } from "../../arch/registry.ts";

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

const ARCHITECTURES = (
  "alpha arc arm arm64 avr32 blackfin c6x cris csky frv h8300 hexagon ia64 loongarch m32r m68k metag microblaze mips " +
  "mn10300 nds32 nios2 openrisc parisc powerpc riscv s390 score sh sparc tile um unicore32 xtensa x86"
).split(" ");

/** What of a source tree this configuration cannot build. Throws `MACHINE_NOT_KNOWN`. */
export function cannotBuild(config: ReadonlyMap<string, string>): string[] {
  const optional = OPTIONAL.filter(({ option }) => !config.has(option)).map(({ path }) => path);
  const { directory } = archOfConfig(config, ".config").kernel.sources;
  const others = ARCHITECTURES.filter((name) => name !== directory).map((name) => `arch/${name}`);
  return [...NEVER, ...others, ...optional];
}
