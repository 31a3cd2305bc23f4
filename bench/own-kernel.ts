/**
 * A small kernel of one's own, as its makefile builds it: patched by `--build`, and rehearsed.
 *
 *   node bench/own-kernel.ts [--kernel RELEASE] [--cc gcc|clang] [--directory DIR]
 *
 * The source is that of a stock kernel's packages. With --directory what was built there is taken as it is.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Cache } from "../src/lib/cache.ts";
import { silentProgress } from "../src/lib/progress.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import { unpackSource } from "../src/provider/debian/unpack-packages.ts";
import { openKernel } from "../src/subject/kernel/open-kernel.ts";

const SUTURE = new URL("../bin/suture", import.meta.url).pathname;
const { values } = parseArgs({
  options: {
    kernel: { type: "string", default: "6.1.0-57-cloud-amd64" },
    cc: { type: "string", default: "gcc" },
    directory: { type: "string" },
  },
});
/** What a guest of a rehearsal needs, and live patching; all else is off. */
const OPTIONS =
  "64BIT SMP PRINTK BUG MULTIUSER FUTEX EPOLL EVENTFD SIGNALFD TIMERFD POSIX_TIMERS EXPERT KALLSYMS KALLSYMS_ALL MODULES MODULE_UNLOAD PROC_FS SYSFS TMPFS DEVTMPFS SHMEM BINFMT_ELF BINFMT_SCRIPT BLK_DEV_INITRD RD_GZIP TTY SERIAL_8250 SERIAL_8250_CONSOLE PCI ACPI FTRACE FUNCTION_TRACER DYNAMIC_FTRACE LIVEPATCH UNWINDER_ORC DEBUG_KERNEL DEBUG_INFO_DWARF4 NET UNIX BPF_SYSCALL DEBUG_INFO_BTF HIGH_RES_TIMERS MAGIC_SYSRQ".split(
    " ",
  );
const MODULES = ["CRC7"];

await using temporary = await temporaryDirectory();
const build = values.directory ?? (await built(join(temporary.path, "kernel")));
/** One in vmlinux, one in a module. */
const EDITS = [
  ["fs/proc/version.c", "\tseq_printf(m, linux_proc_banner,"],
  ["lib/crc7.c", "\twhile (len--)"],
] as const;
const tree = existsSync(join(build, "source")) ? join(build, "source") : build;
const outcomes = EDITS.map(([file, line]) => {
  const name = file.replace(/\W/g, "_");
  const patch = join(temporary.path, `${name}.patch`);
  const text = readFileSync(join(tree, file), "utf8");
  const before = join(temporary.path, "before.c");
  const after = join(temporary.path, "after.c");
  writeFileSync(before, text);
  writeFileSync(after, text.replace(line, `\tpr_info_once("patched\\n");\n${line}`));
  const { stdout } = spawnSync("diff", ["-u", "--label", `a/${file}`, "--label", `b/${file}`, before, after]);
  writeFileSync(patch, stdout);
  const output = join(temporary.path, `${name}.ko`);
  const steps = [
    ["build", "--build", build, "-o", output, patch],
    ["rehearse", "--build", build, output],
  ];
  return { file, exits: steps.map((args) => suture(args)) };
});
process.stdout.write(`${JSON.stringify({ compiler: values.cc, outcomes }, undefined, 2)}\n`);
process.exitCode = outcomes.every(({ exits }) => exits.every((exit) => exit === 0)) ? 0 : 1;

function suture(args: readonly string[]): number | null {
  return spawnSync(SUTURE, args, { stdio: ["ignore", "inherit", "inherit"] }).status;
}

/** The directory that make has left. */
async function built(directory: string): Promise<string> {
  const cache = new Cache();
  const choice = { kind: "release", release: values.kernel } as const;
  const kernel = await openKernel(choice, { cache, progress: silentProgress });
  const series = kernel.version.split(".").slice(0, 2).join(".");
  const deb = join(cache.kind("packages"), `linux-source-${series}_${kernel.version}.deb`);
  const [source, out] = [join(directory, "source"), join(directory, "out")];
  mkdirSync(out, { recursive: true });
  await unpackSource(deb, source, [], new AbortController().signal);
  const make = (...args: readonly string[]): void => {
    const { status } = spawnSync("make", ["-C", source, `O=${out}`, `CC=${values.cc}`, "-s", ...args], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    if (status !== 0) throw new Error(`make ${args.join(" ")} ended with ${status}`);
  };
  make("tinyconfig");
  const config = join(out, ".config");
  const wanted = [...OPTIONS.map((name) => `CONFIG_${name}=y`), ...MODULES.map((name) => `CONFIG_${name}=m`)];
  writeFileSync(config, `${readFileSync(config, "utf8")}${wanted.join("\n")}\n`);
  make("olddefconfig");
  make("-j2", "bzImage", "modules");
  return out;
}
