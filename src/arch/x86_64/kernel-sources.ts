import type { KernelSources } from "../kernel-sources.ts";
import { jumpLabels } from "./jump-label.ts";
import { runtimeConstants } from "./runtime-constants.ts";

/** Source: the kernel's arch/x86. */
export const sources: KernelSources = {
  option: "X86_64",
  directory: "x86",
  image: "arch/x86/boot/bzImage",
  vdso: /^arch\/x86\/(entry\/vdso|include\/asm\/vdso)\//,
  vdsoSetup: /^arch\/x86\/entry\/vdso\/(vma|extable|vdso32-setup)\.c$/,
  boot: /^arch\/x86\/(boot|realmode|purgatory)\//,
  offsets: /^arch\/x86\/(kernel\/asm-offsets(_\d+)?|kvm\/kvm-asm-offsets)\.c$/,
  tables: /^arch\/x86\/lib\/x86-opcode-map\.txt$/,
  notKernel: /^arch\/x86\/(entry\/vdso|realmode|purgatory|boot)\//,
  otherAssembly: /^arch\/x86\/(boot|realmode|purgatory|um|tools|entry\/vdso)(\/|$)/,
  // Built into 32-bit kernels alone.
  foreignAssembly: /^arch\/x86\/.*_32\.S$/,
  jumpLabels,
  runtimeConstants,
};
