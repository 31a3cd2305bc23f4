import type { KernelLayouts } from "../btf/kernel-layouts.ts";
import { SutureError } from "../lib/error.ts";
import type { LinkTarget, Origin } from "../link/input.ts";
import type { Kernel } from "./kernel.ts";
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
    release: kernel.release,
    buildId: kernel.buildId,
    vermagic: vermagicOf(vmlinux, kernel.release),
    layouts,
    layoutCrc: has("MODVERSIONS") ? symvers.find("module_layout")?.crc : undefined,
    hasReturnThunk: has("RETHUNK", "MITIGATION_RETHUNK"),
    hasRetpoline: has("RETPOLINE", "MITIGATION_RETPOLINE"),
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
