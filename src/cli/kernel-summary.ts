import { run } from "../lib/run.ts";

/** A ready kernel, in short. */
export interface KernelSummary {
  readonly release: string;
  /** The packages' version; empty for a kernel that is not from packages. */
  readonly version: string;
  /** GNU build-id of vmlinux, hexadecimal. */
  readonly buildId: string;
  /** CONFIG_CC_VERSION_TEXT. */
  readonly compiler: string;
  readonly directory: string;
  /** On disk. */
  readonly bytes: number;
}

interface ReadyKernel {
  readonly release: string;
  readonly version: string;
  readonly buildId: string;
  readonly compilerText: string;
  readonly directory: string;
}

/** `bytes` is what the kernel's directory takes on the disk. */
export function kernelSummary(kernel: ReadyKernel, bytes: number): KernelSummary {
  const { release, version, buildId, directory } = kernel;
  return { release, version, buildId, compiler: kernel.compilerText, directory, bytes };
}

/** Lines in columns, the first one their heads; one line that says what to do where there is no kernel. */
export function kernelTable(kernels: readonly KernelSummary[]): string[] {
  if (kernels.length === 0) return ["no kernel is ready; make one so with: suture kernel fetch RELEASE"];
  const rows = [["RELEASE", "VERSION", "DISK", "COMPILER"]].concat(
    kernels.map(({ release, version, bytes, compiler }) => [
      release,
      version,
      `${Math.ceil(bytes / 1e6)} MB`,
      compiler,
    ]),
  );
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Bytes on disk of a directory and all that is in it. */
export async function sizeOf(directory: string): Promise<number> {
  const { stdout } = await run("du", ["--summarize", "--block-size=1", "--", directory], { check: true });
  return Number.parseInt(stdout, 10);
}
