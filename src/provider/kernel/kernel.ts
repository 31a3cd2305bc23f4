import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { Arch } from "../../arch/arch.ts";
import { archOfConfig } from "../../arch/registry.ts";
import { SutureError } from "../../lib/error.ts";

/** Which kernel a livepatch is for. `from`: the name of the distribution that ships it, by default the one of this machine. */
export type KernelChoice =
  /** By what uname -r prints in it. */
  | { readonly kind: "release"; readonly release: string; readonly from?: string | undefined }
  /** The one that runs here. */
  | { readonly kind: "running"; readonly from?: string | undefined }
  /** One's own, by the directory that `make` has left, with its source or, by O=, beside it. */
  | { readonly kind: "build"; readonly directory: string }
  /** Any other; all four are paths. `headers` is its build directory: .config, include/generated, Module.symvers, tools/objtool. */
  | {
      readonly kind: "custom";
      readonly source: string;
      readonly headers: string;
      readonly vmlinux: string;
      readonly modules: string;
    }
  | ModuleChoice;

/** A kernel with the modules of a source of their own, which is what diffs are for. */
export interface ModuleChoice {
  readonly kind: "module-source";
  /** The modules' source, as `make -C KBUILD M=DIR` has left it. */
  readonly directory: string;
  readonly kernel: Exclude<KernelChoice, ModuleChoice>;
}

/** What is kept about a ready kernel, as JSON in its directory. Paths are relative to that directory, or absolute. */
const KernelRecord = v.object({
  format: v.number(),
  /** As uname -r prints it. */
  release: v.string(),
  /** The packages' version; empty for a kernel that is not from packages. */
  version: v.string(),
  /** GNU build-id of vmlinux, hexadecimal. */
  buildId: v.string(),
  /** CONFIG_CC_VERSION_TEXT. */
  compilerText: v.string(),
  /** What the build ran, where it has left a record of it. */
  compilerPath: v.optional(v.string()),
  /** Everything that objects made with this kernel depend on, as one hexadecimal number. */
  identity: v.string(),
  /** Whether the source is a user's own, which may change between two builds. */
  sourceMayChange: v.boolean(),
  /** By default where the source may not change. */
  isBuiltBeside: v.optional(v.boolean()),
  /** Parts of the source that this configuration cannot build and that were not unpacked. */
  leftOut: v.array(v.string()),
  paths: v.object({
    source: v.string(),
    /** Below `source`; the source itself by default. */
    kernelTree: v.optional(v.string()),
    /** By default the kernel tree's own. */
    symvers: v.optional(v.string()),
    objtool: v.string(),
    vmlinux: v.string(),
    vmlinuz: v.optional(v.string()),
    modules: v.string(),
    symbols: v.string(),
    layouts: v.string(),
    units: v.string(),
  }),
});
/** What a ready kernel's record file holds. Paths that are not absolute are below the kernel's directory. */
export type KernelRecord = v.InferOutput<typeof KernelRecord>;

/** undefined where the text is no whole record. */
export function readKernelRecord(text: string): KernelRecord | undefined {
  try {
    const parsed = v.safeParse(KernelRecord, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

/** Raised together with the name of the directory of all kernels, so that two versions of suture do not make each other's again. */
export const KERNEL_FORMAT = 1;

/** A kernel for which livepatches can be built. Nothing below its directory changes while it is there. */
export interface Kernel {
  /** By its configuration; read on first use, which throws MACHINE_NOT_KNOWN for one that is not known. */
  readonly arch: Arch;
  readonly release: string;
  readonly version: string;
  readonly buildId: string;
  readonly compilerText: string;
  readonly compilerPath: string | undefined;
  readonly identity: string;
  readonly sourceMayChange: boolean;
  /** Whether it was built in another directory than its source's. */
  readonly isBuiltBeside: boolean;
  readonly leftOut: readonly string[];
  readonly directory: string;
  /** The configured source tree with its generated headers: the directory that compiles run in. Never written to. */
  readonly source: string;
  /** Where below the source the kernel's own tree lies: `.`, but for modules of a source of their own. */
  readonly kernelTree: string;
  readonly objtool: string;
  /** The unpacked ELF file. */
  readonly vmlinux: string;
  /** The image as shipped; undefined where only vmlinux was given. */
  readonly vmlinuz: string | undefined;
  /** The directory that holds modules.order and kernel/. */
  readonly modules: string;
  /** src/image `openSymbolTable` reads it. */
  readonly symbols: string;
  /** src/btf `KernelLayouts`, as JSON. */
  readonly layouts: string;
  /** Module.symvers. */
  readonly symvers: string;
  /** Compile commands, one file a directory. */
  readonly units: string;
  /** The configuration, without CONFIG_; strings without their quotes. Read on first use. */
  config(): ReadonlyMap<string, string>;
}

/** Reads none of the files that the record names; the configuration is read when it is first asked for. */
export function kernelFrom(directory: string, record: KernelRecord): Kernel {
  const at = (path: string): string => (path.startsWith("/") ? path : join(directory, path));
  const source = at(record.paths.source);
  const { kernelTree = "." } = record.paths;
  const tree = join(source, kernelTree);
  let config: ReadonlyMap<string, string> | undefined;
  return {
    get arch() {
      return archOfConfig(this.config(), join(tree, ".config"));
    },
    release: record.release,
    version: record.version,
    buildId: record.buildId,
    compilerText: record.compilerText,
    compilerPath: record.compilerPath,
    identity: record.identity,
    sourceMayChange: record.sourceMayChange,
    isBuiltBeside: record.isBuiltBeside ?? !record.sourceMayChange,
    leftOut: record.leftOut,
    directory,
    source,
    kernelTree,
    objtool: at(record.paths.objtool),
    vmlinux: at(record.paths.vmlinux),
    vmlinuz: record.paths.vmlinuz === undefined ? undefined : at(record.paths.vmlinuz),
    modules: at(record.paths.modules),
    symbols: at(record.paths.symbols),
    layouts: at(record.paths.layouts),
    symvers: record.paths.symvers === undefined ? join(tree, "Module.symvers") : at(record.paths.symvers),
    units: at(record.paths.units),
    config() {
      config ??= parseConfig(readFileSync(join(tree, ".config"), "utf8"));
      return config;
    },
  };
}

/** The lines `CONFIG_NAME=value` of a .config. */
export function parseConfig(text: string): ReadonlyMap<string, string> {
  const config = new Map<string, string>();
  for (const [, name = "", value = ""] of text.matchAll(/^CONFIG_(\w+)=(.*)$/gm)) {
    config.set(name, value.replace(/^"(.*)"$/, "$1").replace(/\\(.)/g, "$1"));
  }
  return config;
}

/** CONFIG_CC_VERSION_TEXT; throws `KERNEL_CONFIG_UNUSABLE` where there is none. */
export function compilerTextOf(config: ReadonlyMap<string, string>, where: string): string {
  const text = config.get("CC_VERSION_TEXT");
  if (text !== undefined && text !== "") return text;
  throw new SutureError("KERNEL_CONFIG_UNUSABLE", "the configuration does not name the compiler of the kernel", {
    where: `${where}: CONFIG_CC_VERSION_TEXT`,
    hint: "give the .config that the kernel was built with",
  });
}
