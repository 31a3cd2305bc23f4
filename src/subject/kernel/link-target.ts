import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { KernelLayouts } from "../../btf/kernel-layouts.ts";
import { SutureError } from "../../lib/error.ts";
import type { LinkTarget, Origin } from "../../link/input.ts";
import type { Kernel } from "../../provider/kernel/kernel.ts";
import type { Shipped } from "./match/shipped.ts";
import type { Symvers } from "./symvers.ts";

/** What the linker has to know of the kernel. `imports` throws `NO_LIVEPATCH_CORE` for what the kernel does not export. */
export function linkTarget(
  kernel: Kernel,
  vmlinux: Shipped,
  symvers: Symvers,
  layouts: KernelLayouts,
): LinkTarget & { imports(name: string): Origin } {
  const config = kernel.config();
  const has = (...names: string[]) => names.some((name) => config.get(name) === "y");
  return {
    arch: vmlinux.arch,
    release: kernel.release,
    buildId: kernel.buildId,
    vermagic: vermagicOf(vmlinux, kernel.release),
    layouts,
    layoutCrc: has("MODVERSIONS") ? symvers.find("module_layout")?.crc : undefined,
    hasReturnThunk: has("RETHUNK", "MITIGATION_RETHUNK"),
    hasRetpoline: has("RETPOLINE", "MITIGATION_RETPOLINE"),
    limits: { perCpuReserve: perCpuReserve(kernel) },
    imports(name) {
      const found = symvers.find(name);
      if (found === undefined)
        throw new SutureError("NO_LIVEPATCH_CORE", `the kernel does not export ${name}`, {
          where: `${kernel.release}: Module.symvers`,
          hint: "take a kernel that is configured with CONFIG_LIVEPATCH",
        });
      return { kind: "exported", name, crc: found.crc, namespace: undefined, module: undefined };
    },
  };
}

/** As it is in each kernel that is known. */
const PERCPU_MODULE_RESERVE = 8 << 10;

/** The source says it where it is another one. */
function perCpuReserve({ source, kernelTree }: Kernel): number {
  const path = join(source, kernelTree, "include/linux/percpu.h");
  const text = existsSync(path) ? readFileSync(path, "latin1") : "";
  const [, number, shift] = /^#define PERCPU_MODULE_RESERVE\s+\((\d+) << (\d+)\)/m.exec(text) ?? [];
  return number === undefined ? PERCPU_MODULE_RESERVE : Number(number) << Number(shift);
}

const LONGEST_VERMAGIC = 256;

/** The text that the module loader compares, which the kernel keeps as a string of its own. */
function vermagicOf(vmlinux: Shipped, release: string): string {
  for (const at of vmlinux.places("vermagic")) {
    const bytes = vmlinux.bytes(at, LONGEST_VERMAGIC);
    const text = bytes?.toString("latin1", 0, Math.max(0, bytes.indexOf(0)));
    if (text?.startsWith(`${release} `)) return text;
  }
  throw new SutureError("VERMAGIC_NOT_FOUND", "the kernel's vmlinux does not hold the version text of its modules", {
    where: release,
    hint: "give the vmlinux that belongs to these headers",
  });
}
