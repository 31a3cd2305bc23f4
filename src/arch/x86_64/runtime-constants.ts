/** Constants in the kernel's own code that it fills in when it boots (the kernel's asm/runtime-const.h), and never again. */

import type { HeaderForm } from "../kernel-sources.ts";

/**
 * The form of machines that fill nothing in: each use reads the variable that the constant was taken from, which is
 * written no more once the kernel has booted. Source: the kernel's asm-generic/runtime-const.h.
 */
export const runtimeConstants: HeaderForm = {
  header: "arch/x86/include/asm/runtime-const.h",
  rewritten: () => "#include <asm-generic/runtime-const.h>\n",
};
