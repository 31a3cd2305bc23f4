import { readFile } from "node:fs/promises";
import type { KernelLayouts } from "../../../btf/kernel-layouts.ts";
import { readElf } from "../../../elf/read.ts";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import { readModule } from "../module-file.ts";
import { moduleName } from "./locate.ts";
import type { RunningObject } from "./running-code.ts";
import type { Shipped } from "./shipped.ts";
import { ShippedModule } from "./shipped-module.ts";
import { ShippedVmlinux } from "./shipped-vmlinux.ts";

/** vmlinux, or a module as its file has it. */
export interface ShippedObject {
  readonly image: Shipped & RunningObject;
  /** Names of the modules that are loaded whenever this one is. */
  readonly dependencies: ReadonlySet<string>;
}

/** The objects of a kernel as they were shipped, opened when they are asked for. */
export class ShippedObjects implements Disposable {
  readonly vmlinux: ShippedVmlinux;
  readonly layouts: KernelLayouts;
  readonly #kernel: Kernel;
  readonly #signal: AbortSignal | undefined;
  readonly #modules = new Map<string, ShippedObject>();

  private constructor(
    kernel: Kernel,
    vmlinux: ShippedVmlinux,
    layouts: KernelLayouts,
    signal: AbortSignal | undefined,
  ) {
    this.#kernel = kernel;
    this.vmlinux = vmlinux;
    this.layouts = layouts;
    this.#signal = signal;
  }

  static async open(kernel: Kernel, signal: AbortSignal | undefined): Promise<ShippedObjects> {
    const [symbols, layouts] = await Promise.all([readFile(kernel.symbols), readFile(kernel.layouts, "utf8")]);
    return new ShippedObjects(
      kernel,
      new ShippedVmlinux(kernel.vmlinux, symbols, kernel.buildId),
      JSON.parse(layouts) as KernelLayouts,
      signal,
    );
  }

  [Symbol.dispose](): void {
    this.vmlinux[Symbol.dispose]();
  }

  /** @param path `vmlinux`, or a module's path in the tree without .ko */
  async object(path: string): Promise<ShippedObject> {
    if (path === "vmlinux") return { image: this.vmlinux, dependencies: new Set() };
    const known = this.#modules.get(path);
    if (known !== undefined) return known;
    const file = readElf(await readModule(this.#kernel, path, this.#signal), `${path}.ko`);
    const info = file.sections.find(({ name }) => name === ".modinfo")?.data.toString("latin1") ?? "";
    const depends = info.split("\0").find((line) => line.startsWith("depends="));
    const names = (depends?.slice(8).split(",") ?? []).filter((name) => name !== "").map(moduleName);
    const object = { image: new ShippedModule(moduleName(path), file), dependencies: new Set(names) };
    this.#modules.set(path, object);
    return object;
  }

  /** As far as it was opened. @param name the kernel's own of it */
  running(name: string): RunningObject | undefined {
    if (name === "vmlinux") return this.vmlinux;
    return [...this.#modules.values()].find(({ image }) => image.object === name)?.image;
  }

  buildId(name: string): string {
    if (name === "vmlinux") return this.vmlinux.buildId;
    for (const { image } of this.#modules.values()) if (image.object === name) return image.buildId;
    return "";
  }
}
