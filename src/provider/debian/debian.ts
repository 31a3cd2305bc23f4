import type { Distribution } from "../distribution.ts";

/** Debian, and what has apt and Debian's ways of naming kernels and sources. */
export const debian: Distribution = {
  name: "debian",
  async kernel(release) {
    const { kernelPackages } = await import("./kernel-packages.ts");
    return kernelPackages(release);
  },
  async availableKernels(options) {
    const { availableKernels } = await import("./available-kernels.ts");
    return await availableKernels(options);
  },
  async offeredReleases(signal) {
    const { machineArchive } = await import("./debian-archive.ts");
    const packages = await machineArchive(signal)
      .names("linux-image-")
      .catch(() => []);
    return packages.flatMap((each) => /^linux-image-(\d.*-amd64)$/.exec(each)?.[1] ?? []);
  },
  async compilerFor(wanted, options) {
    const { compilerFor } = await import("./fetch-compiler.ts");
    return await compilerFor(wanted, options);
  },
  async removeDownloads(kernel, others, cache) {
    const { removePackages } = await import("./remove-packages.ts");
    await removePackages(kernel, others, cache);
  },
  async sourcePackage(spec, options) {
    const { openSourcePackage } = await import("./source-package.ts");
    return await openSourcePackage(spec, options);
  },
  async sourceWithout(spec, patches, options) {
    const { sourceWithout } = await import("./source-without.ts");
    return await sourceWithout(spec, patches, options);
  },
  async packageVersions(options) {
    const { packageVersions } = await import("./source-versions.ts");
    return await packageVersions(options);
  },
  async toInstall(program) {
    const { packageOf } = await import("./program-packages.ts");
    const found = packageOf(program);
    return found && `apt-get install ${found}`;
  },
};
