import type { KernelSources } from "../kernel-sources.ts";

/** Source: the kernel's arch/s390. */
export const sources: KernelSources = {
  option: "S390",
  directory: "s390",
  image: "arch/s390/boot/bzImage",
  vdso: /^arch\/s390\/(kernel\/vdso(32|64)|include\/asm\/vdso)\//,
  vdsoSetup: /^arch\/s390\/kernel\/vdso\.c$/,
  boot: /^arch\/s390\/(boot|purgatory)\//,
  offsets: /^arch\/s390\/kernel\/asm-offsets\.c$/,
  tables: /^arch\/s390\/tools\/opcodes\.txt$/,
  notKernel: /^arch\/s390\/(kernel\/vdso(32|64)|boot|purgatory)\//,
  otherAssembly: /^arch\/s390\/(boot|purgatory|tools|kernel\/vdso(32|64))(\/|$)/,
};
