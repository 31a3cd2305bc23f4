import type { KernelChoice, ModuleChoice } from "../provider/kernel/kernel.ts";
import type { Options, OptionValues } from "./command.ts";
import { usage } from "./usage.ts";

/** The options with which a command lets a kernel be chosen. */
export const kernelOptions = {
  kernel: {
    kind: "release",
    value: "RELEASE",
    summary: "a Debian kernel, as uname -r prints it, or `running`",
  },
  build: {
    kind: "directory",
    value: "DIR",
    summary: "a kernel of one's own: the directory that make has left, in its source or by O=",
  },
  source: {
    kind: "directory",
    value: "DIR",
    summary: "another kernel, or a program of one's own: its source tree, which is not written to",
  },
  headers: {
    kind: "directory",
    value: "DIR",
    summary: "another kernel: its build directory, with .config, include/generated, Module.symvers and tools/objtool",
  },
  vmlinux: { kind: "file", value: "FILE", summary: "another kernel: its vmlinux or vmlinuz" },
  modules: { kind: "directory", value: "DIR", summary: "another kernel: its lib/modules/RELEASE" },
  "module-source": {
    kind: "directory",
    value: "DIR",
    summary: "modules that are not of the kernel's tree: their source, as `make -C KBUILD M=DIR` has left it",
  },
} as const satisfies Options;

/** As `kernelOptions`, for a command that takes several kernels. */
export const kernelsOptions = {
  ...kernelOptions,
  kernel: {
    ...kernelOptions.kernel,
    many: true,
    summary:
      "a Debian kernel, as uname -r prints it, `running`, or `ready`: each one that is ready; may be given several times",
  },
} as const satisfies Options;

const PATHS = ["source", "headers", "vmlinux", "modules"] as const;

/** The kernel that was chosen; undefined where none of the options is given. Throws `USAGE`. */
export function kernelChoice(options: OptionValues<typeof kernelOptions>, name: string): KernelChoice | undefined {
  const kernel = chosenKernel(options, name);
  const directory = options["module-source"];
  if (directory === undefined) return kernel;
  if (kernel !== undefined) return { kind: "module-source", directory, kernel };
  throw usage("--module-source also needs the kernel that it was built for: --kernel RELEASE or --build DIR", name);
}

function chosenKernel(
  options: OptionValues<typeof kernelOptions>,
  name: string,
): Exclude<KernelChoice, ModuleChoice> | undefined {
  const given = PATHS.filter((path) => options[path] !== undefined);
  if (options.build !== undefined) {
    const other = options.kernel === undefined ? given[0] : "kernel";
    if (other !== undefined) throw usage(`--build and --${other} exclude each other`, name);
    return { kind: "build", directory: options.build };
  }
  if (given.length === 0) return options.kernel === undefined ? undefined : releaseChoice(options.kernel);
  if (options.kernel !== undefined) throw usage(`--kernel and --${given[0]} exclude each other`, name);
  const { source, headers, vmlinux, modules } = options;
  if (source === undefined || headers === undefined || vmlinux === undefined || modules === undefined) {
    const missing = PATHS.filter((path) => options[path] === undefined);
    throw usage(`another kernel also needs ${missing.map((path) => `--${path}`).join(", ")}`, name);
  }
  return { kind: "custom", source, headers, vmlinux, modules };
}

/** A release by name, or `running`. */
export function releaseChoice(word: string): KernelChoice & { readonly kind: "release" | "running" } {
  return word === "running" ? { kind: "running" } : { kind: "release", release: word };
}
