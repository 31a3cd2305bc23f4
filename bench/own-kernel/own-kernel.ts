/** The smallest kernel that a rehearsal needs, built by its own makefile. */
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { unpackSource } from "../../src/provider/debian/unpack-packages.ts";
import { openKernel } from "../../src/subject/kernel/open-kernel.ts";

/** How `make` is told of a compiler and the programs around it. */
export const COMPILERS = {
  gcc: ["CC=gcc"],
  /** With its own assembler and linker. */
  clang: ["LLVM=1"],
  /** With those of binutils. */
  "clang-binutils": ["CC=clang", "LLVM_IAS=0"],
} as const satisfies Record<string, readonly string[]>;

export type CompilerName = keyof typeof COMPILERS;

/** What a guest of a rehearsal needs, live patching, and what code is made of in most kernels; all else is off. */
const OPTIONS = (
  "64BIT SMP PRINTK BUG MULTIUSER FUTEX EPOLL EVENTFD SIGNALFD TIMERFD POSIX_TIMERS EXPERT KALLSYMS KALLSYMS_ALL " +
  "MODULES MODULE_UNLOAD PROC_FS SYSFS TMPFS DEVTMPFS SHMEM BINFMT_ELF BINFMT_SCRIPT BLK_DEV_INITRD RD_GZIP RD_ZSTD " +
  "TTY SERIAL_8250 SERIAL_8250_CONSOLE PCI ACPI FTRACE FUNCTION_TRACER DYNAMIC_FTRACE LIVEPATCH UNWINDER_ORC " +
  "DEBUG_KERNEL DEBUG_INFO_DWARF4 NET UNIX BPF_SYSCALL DEBUG_INFO_BTF HIGH_RES_TIMERS MAGIC_SYSRQ JUMP_LABEL " +
  "PROC_KCORE PREEMPT_VOLUNTARY PREEMPT_DYNAMIC DEBUG_FS PRINTK_INDEX CPU_MITIGATIONS RETPOLINE CC_OPTIMIZE_FOR_PERFORMANCE"
).split(" ");
const MODULES = ["CRC7"];

/** The source of a stock kernel's packages, unpacked. */
export async function unpackedSource(release: string, directory: string): Promise<string> {
  const cache = new Cache();
  const kernel = await openKernel({ kind: "release", release }, { cache, progress: silentProgress });
  const series = kernel.version.split(".").slice(0, 2).join(".");
  const deb = join(cache.kind("packages"), `linux-source-${series}_${kernel.version}.deb`);
  const source = join(directory, "source");
  await unpackSource(deb, source, [], new AbortController().signal);
  return source;
}

/** Builds a kernel beside its source; returns the directory that make has left. Throws where make fails. */
export function builtKernel(source: string, compiler: CompilerName, directory: string): string {
  const out = join(directory, compiler);
  mkdirSync(out, { recursive: true });
  const make = (...args: readonly string[]): void =>
    runMake(["-C", source, `O=${out}`, ...COMPILERS[compiler], ...args]);
  make("tinyconfig");
  const wanted = [...OPTIONS.map((name) => `CONFIG_${name}=y`), ...MODULES.map((name) => `CONFIG_${name}=m`)];
  appendFileSync(join(out, ".config"), `${wanted.join("\n")}\n`);
  make("olddefconfig");
  make("-j2", "bzImage", "modules");
  return out;
}

/** Builds a module out of the kernel's tree. */
export function buildModule(kernel: string, compiler: CompilerName, module: string): void {
  runMake(["-C", kernel, `M=${module}`, ...COMPILERS[compiler], "modules"]);
}

function runMake(args: readonly string[]): void {
  const { status } = spawnSync("make", ["-s", ...args], { stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error(`make ${args.join(" ")} ended with ${status}`);
}
