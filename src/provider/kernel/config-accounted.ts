/** Options of a kernel's configuration by which its code is made in ways that livepatches are not made in. */
import { SutureError } from "../../lib/error.ts";

const REBUILD = "build the kernel without it, and boot that";

/** By name; the first has a code of its own, since programs have it too. */
const CLANG_ONLY: Readonly<Record<string, string>> = {
  CFI_CLANG: "indirect calls check a number before the function, which is made of its type (kCFI)",
  CFI: "indirect calls check a number before the function, which is made of its type (kCFI)",
  SHADOW_CALL_STACK: "return addresses are kept on a stack of their own",
  AUTOFDO_CLANG: "the code is laid out by a profile, which the build was given on its command line",
  PROPELLER_CLANG: "the code is laid out by a profile, which the build was given on its command line",
  GCOV_KERNEL: "each function counts its branches in tables that are registered at boot",
  KASAN: "each object of data is registered at boot with its name and place",
  KCSAN: "each access to memory is a call of the sanitizer",
  KMSAN: "each access to memory is a call of the sanitizer",
  UBSAN: "what a check reports by lies in data without names",
};

/**
 * Whether livepatches can be made of code that is made as this configuration says.
 * Throws `LINK_TIME_OPTIMIZED` and `KERNEL_CONFIG_UNUSABLE`.
 * @param config by name, without CONFIG_
 */
export function checkAccounted(config: ReadonlyMap<string, string>, where: string): void {
  const has = (name: string): boolean => config.get(name) === "y";
  if (has("LTO_CLANG") || has("LTO_GCC"))
    throw new SutureError(
      "LINK_TIME_OPTIMIZED",
      "the kernel's code was made when linking, from all files together, and cannot be proved file by file",
      {
        where: `${where}: CONFIG_LTO_${has("LTO_CLANG") ? "CLANG" : "GCC"}=y`,
        hint: "build the kernel with CONFIG_LTO_NONE=y, and boot that",
      },
    );
  if (!has("CC_IS_CLANG")) return;
  for (const [name, why] of Object.entries(CLANG_ONLY)) {
    // Its checks are traps, and report by nothing.
    if (!has(name) || (name === "UBSAN" && has("UBSAN_TRAP"))) continue;
    throw new SutureError(
      "KERNEL_CONFIG_UNUSABLE",
      `a kernel that clang has built with CONFIG_${name} is not accounted for: ${why}`,
      {
        where: `${where}: CONFIG_${name}=y`,
        hint: REBUILD,
      },
    );
  }
}
