import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { readElf } from "../elf/read.ts";
import { SutureError } from "../lib/error.ts";
import { run } from "../lib/run.ts";
import { type ModuleInfo, moduleInfoOf, moduleName } from "../patch/modinfo.ts";

/** One module of a kernel, read. */
export interface KernelModule {
  /** Normalised. */
  readonly name: string;
  /** Below the tree's directory, as a decompressed file: `kernel/fs/fuse/fuse.ko`. */
  readonly path: string;
  readonly info: ModuleInfo;
  /** The ELF file, decompressed. */
  readonly data: Buffer;
}

const COMPRESSED = ["", ".xz", ".zst", ".gz"] as const;

/**
 * The modules of one kernel: a directory `lib/modules/<release>` as its package
 * unpacks it, with no `depmod` run over it. Only the modules that are asked
 * for are read.
 */
export class ModuleTree {
  readonly directory: string;
  /** Normalised name to path below `directory`, without what a compression adds. */
  readonly #paths: ReadonlyMap<string, string>;
  readonly #builtIn: ReadonlySet<string>;
  readonly #read = new Map<string, Promise<KernelModule>>();

  private constructor(directory: string, paths: ReadonlyMap<string, string>, builtIn: ReadonlySet<string>) {
    this.directory = directory;
    this.#paths = paths;
    this.#builtIn = builtIn;
  }

  /** Throws `MODULES_MISSING` where there is no directory with modules. */
  static async open(directory: string): Promise<ModuleTree> {
    if (!existsSync(directory)) {
      throw new SutureError("MODULES_MISSING", "the kernel's modules are not there", {
        where: directory,
        hint: "fetch the kernel with: suture kernel fetch RELEASE",
      });
    }
    const listed = await listOf(join(directory, "modules.order"));
    const paths = byName(listed.length > 0 ? listed : await moduleFilesBelow(directory));
    const builtIn = new Set((await listOf(join(directory, "modules.builtin"))).map(nameOfPath));
    return new ModuleTree(directory, paths, builtIn);
  }

  isBuiltIn(name: string): boolean {
    return this.#builtIn.has(moduleName(name));
  }

  has(name: string): boolean {
    return this.#paths.has(moduleName(name));
  }

  /** Names of all modules that can be loaded, normalised. */
  names(): string[] {
    return [...this.#paths.keys()];
  }

  /** Throws `MODULE_MISSING` for a module that the tree does not have, and the errors of `readElf`. */
  async read(name: string): Promise<KernelModule> {
    const normal = moduleName(name);
    let module = this.#read.get(normal);
    if (module === undefined) {
      module = this.#readFile(normal);
      this.#read.set(normal, module);
    }
    return await module;
  }

  /**
   * What has to be loaded for a module: those it depends on first, itself last,
   * nothing for one that is built in. Soft dependencies are taken where they exist.
   */
  async loadOrder(name: string): Promise<KernelModule[]> {
    const order = new Map<string, KernelModule>();
    await this.#visit(moduleName(name), order, new Set());
    return [...order.values()];
  }

  async #visit(name: string, order: Map<string, KernelModule>, open: Set<string>): Promise<void> {
    if (this.isBuiltIn(name) || order.has(name) || open.has(name)) return;
    open.add(name);
    const module = await this.read(name);
    for (const each of module.info.softDepends) if (this.has(each)) await this.#visit(each, order, open);
    for (const each of module.info.depends) await this.#visit(each, order, open);
    order.set(name, module);
  }

  async #readFile(name: string): Promise<KernelModule> {
    const path = this.#paths.get(name);
    const suffix = COMPRESSED.find((each) => path !== undefined && existsSync(join(this.directory, path + each)));
    if (path === undefined || suffix === undefined) {
      throw new SutureError("MODULE_MISSING", `this kernel has no module ${name}`, {
        where: path === undefined ? this.directory : join(this.directory, path),
        hint: "see modules.order and modules.builtin there for the modules it has",
      });
    }
    const file = join(this.directory, path + suffix);
    const data = await decompressed(file, suffix);
    const info = moduleInfoOf(readElf(data, file));
    return { name: info.name ?? name, path, info, data };
  }
}

async function decompressed(file: string, suffix: (typeof COMPRESSED)[number]): Promise<Buffer> {
  switch (suffix) {
    case "":
      return await readFile(file);
    case ".gz":
      return await promisify(gunzip)(await readFile(file));
    case ".xz":
      return (await run("xz", ["-dc", file], { check: true })).bytes;
    case ".zst":
      return (await run("zstd", ["-dcq", file], { check: true })).bytes;
  }
}

async function listOf(file: string): Promise<string[]> {
  try {
    return (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function moduleFilesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.ko(\.(xz|zst|gz))?$/.test(entry.name))
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}

function byName(paths: readonly string[]): Map<string, string> {
  return new Map(paths.map((path) => [nameOfPath(path), path.replace(/\.(xz|zst|gz)$/, "")]));
}

function nameOfPath(path: string): string {
  return moduleName(basename(path).replace(/\.ko(\.\w+)?$/, ""));
}
