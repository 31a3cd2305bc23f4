import { SutureError } from "../../lib/error.ts";
import type { KernelSource } from "../kernel/kernel-source.ts";

/**
 * Throws `BAD_KERNEL_RELEASE`; its `make` throws `KERNEL_NOT_IN_ARCHIVE`,
 * `PACKAGE_MISSING`, `ARCHIVE_UNREACHABLE`, `DOWNLOAD_FAILED`.
 */
export function kernelPackages(release: string): KernelSource {
  if (!/^\d[A-Za-z0-9.+~-]*$/.test(release)) {
    throw new SutureError("BAD_KERNEL_RELEASE", `not a kernel release: ${JSON.stringify(release.slice(0, 100))}`, {
      hint: "give what uname -r prints, for instance 6.1.0-56-cloud-amd64",
    });
  }
  return {
    name: release,
    isAtHand: false,
    // A kernel that is ready is opened without what makes one.
    async compilerFor(wanted, options) {
      const { compilerFor } = await import("./fetch-compiler.ts");
      return await compilerFor(wanted, options);
    },
    async make(directory, making) {
      const { downloadKernel } = await import("./kernel-download.ts");
      await downloadKernel(directory, release, making);
    },
  };
}
