/** Who else has hold of the running kernel's functions: probes, tracers and trampolines, as debugfs and tracefs show them to root. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** A kprobe or a kretprobe. Source of the format: report_probe in the kernel's kernel/kprobes.c. */
export interface Kprobe {
  /** Unsigned; 0 where the kernel hides it. */
  readonly address: bigint;
  readonly symbol: string;
  readonly offset: number;
  /** `vmlinux`, or a module's name. */
  readonly object: string;
  /** By ftrace's hook, in place of a breakpoint. */
  readonly isByFtrace: boolean;
  /** By a jump over several instructions, in place of a breakpoint. */
  readonly isOptimized: boolean;
  readonly isDisabled: boolean;
}

/** A function that ftrace has redirected. Source of the format: t_show in the kernel's kernel/trace/ftrace.c. */
export interface TracedFunction {
  readonly name: string;
  readonly object: string;
  /** How many tracers there are. */
  readonly count: number;
  /** One of them may send the caller elsewhere, as a livepatch does: the kernel lets one do so. */
  readonly isRedirected: boolean;
  /** A trampoline is called in place of ftrace's, as BPF programs have it. */
  readonly isDirect: boolean;
}

const DEBUGFS = "sys/kernel/debug";
const TRACEFS = ["sys/kernel/tracing", "sys/kernel/debug/tracing"];

/** undefined where debugfs is not mounted, or not to be read. `root` is the root of the file system. */
export async function readKprobes(root: string): Promise<Kprobe[] | undefined> {
  const text = await textOf(join(root, DEBUGFS, "kprobes/list"));
  return text?.split("\n").flatMap((line) => {
    const [, address = "", symbol = "", offset = "", rest = ""] =
      /^([0-9a-f]+)\s+[kr]\s+(\S+?)\+0x([0-9a-f]+)\s*(.*)$/.exec(line) ?? [];
    if (address === "") return [];
    const module = /^[^[\s]\S*/.exec(rest)?.[0];
    return [
      {
        address: BigInt(`0x${address}`),
        symbol,
        offset: Number.parseInt(offset, 16),
        object: module ?? "vmlinux",
        isByFtrace: rest.includes("[FTRACE]"),
        isOptimized: rest.includes("[OPTIMIZED]"),
        isDisabled: rest.includes("[DISABLED]"),
      },
    ];
  });
}

/** undefined where tracefs is not mounted, or not to be read. */
export async function readTracedFunctions(root: string): Promise<TracedFunction[] | undefined> {
  for (const directory of TRACEFS) {
    const text = await textOf(join(root, directory, "enabled_functions"));
    if (text !== undefined) return text.split("\n").flatMap(tracedIn);
  }
  return undefined;
}

/** For instance `vfs_read (2) R I     tramp: ...`, or `dummy_setup [dummy] (1)`. */
function tracedIn(line: string): TracedFunction[] {
  const [, name = "", object = "vmlinux", count = "", rest = ""] =
    /^(\S+)(?: \[([^\]]+)\])? \((\d+)\)(.*)$/.exec(line) ?? [];
  if (name === "") return [];
  // Flags stand before what is told of trampolines.
  const flags = rest.split(/\t|->|tramp:|ops:/)[0] ?? "";
  return [{ name, object, count: Number(count), isRedirected: /\bI\b/.test(flags), isDirect: /\bD\b/.test(flags) }];
}

/** Whether ftrace is switched on (kernel.ftrace_enabled); undefined where the kernel does not tell. */
export async function isFtraceOn(root: string): Promise<boolean | undefined> {
  const text = await textOf(join(root, "proc/sys/kernel/ftrace_enabled"));
  return text === undefined ? undefined : text.trim() !== "0";
}

async function textOf(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}
