import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { mapParallel } from "../lib/parallel.ts";
import { type LivepatchFile, madeForAnother, readLivepatchFile } from "../patch/livepatch-file.ts";
import { GUEST_DIRECTORY, moduleFiles, quoted } from "./guest.ts";
import { GuestRehearsal, type TargetModule } from "./guest-rehearsal.ts";
import type { GuestFile } from "./initramfs.ts";
import { memoryCheck } from "./memory-check.ts";
import { type KernelModule, ModuleTree } from "./module-tree.ts";
import { IN_MEMORY, type RehearsalKernel, targetsOf } from "./rehearse.ts";
import type { BootKind, RehearsalResult } from "./result.ts";
import { type Boot, verdict } from "./verdict.ts";
import { GuestLost, Vm } from "./vm.ts";

/** How many livepatches are tried at once, and what is kept of it. */
export interface BatchOptions {
  /** A directory, made if need be, where each boot's kernel log is kept as `boot-N.log`. */
  readonly logs: string;
  /** For each transition; default 30. */
  readonly timeoutSeconds?: number | undefined;
  /** Livepatches in one boot, at most; default 64. */
  readonly perBoot?: number | undefined;
  /** Virtual machines at a time; default: one a processor, at most 4. */
  readonly machines?: number | undefined;
  /** Path of the kernel's struct layouts: what is in force is then looked for in the guest's memory. */
  readonly layouts?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called for each livepatch when its result is there. */
  readonly onResult?: ((path: string, result: RehearsalResult) => void) | undefined;
}

/** One livepatch on its way through the boots. */
interface Item {
  readonly path: string;
  readonly livepatch: LivepatchFile;
  readonly targets: readonly TargetModule[];
  readonly modules: readonly KernelModule[];
  readonly guestPath: string;
  /** What is still to be tried, in this order. */
  readonly toDo: Set<BootKind>;
  readonly boots: Boot[];
  seconds: number;
}

/**
 * Tries many livepatches, one after another, in as few boots as may be. In a
 * boot each is loaded before the modules that it patches and then, where these
 * can be left loaded and it can be unloaded, after them: so no module is loaded twice under one
 * livepatch, which 6.1 refuses. A module that can not be unloaded again makes
 * the livepatches that want to come before it wait for another boot. A guest
 * that dies or hangs is the result of the livepatch that was being tried, and
 * the rest go on in a new one.
 *
 * The results are in the order of `livepatches`. Throws like `rehearse`.
 */
export async function rehearseMany(
  kernel: RehearsalKernel,
  livepatches: readonly string[],
  options: BatchOptions,
): Promise<RehearsalResult[]> {
  await mkdir(options.logs, { recursive: true });
  const batch = new Batch(kernel, options, await ModuleTree.open(kernel.modules));
  return await batch.run(livepatches);
}

class Batch {
  readonly #kernel: RehearsalKernel;
  readonly #options: BatchOptions;
  readonly #tree: ModuleTree;
  readonly #queue: Item[] = [];
  readonly #results = new Map<string, RehearsalResult>();
  /** Modules whose unloading has cost a guest: never tried again. */
  readonly #sticky = new Set<string>();
  #boots = 0;

  constructor(kernel: RehearsalKernel, options: BatchOptions, tree: ModuleTree) {
    this.#kernel = kernel;
    this.#options = options;
    this.#tree = tree;
  }

  async run(paths: readonly string[]): Promise<RehearsalResult[]> {
    for (const path of new Set(paths)) await this.#enqueue(path);
    const machines = this.#options.machines ?? Math.min(4, availableParallelism());
    const workers = Array.from({ length: machines }, (_, index) => index);
    await mapParallel(
      workers,
      machines,
      (_worker, _index, signal) => this.#work(machines, signal),
      this.#options.signal,
    );
    return paths.map((path) => this.#results.get(path) as RehearsalResult);
  }

  async #enqueue(path: string): Promise<void> {
    const livepatch = await readLivepatchFile(path);
    const refused = madeForAnother(livepatch, this.#kernel.release);
    if (refused !== undefined) return this.#finish(path, { kind: "refused", refusal: refused });
    const guestPath = `${GUEST_DIRECTORY}/livepatches/${this.#queue.length}/${livepatch.name}.ko`;
    this.#queue.push(await this.#item(path, livepatch, guestPath, livepatch.targets));
  }

  async #item(path: string, livepatch: LivepatchFile, guestPath: string, names: readonly string[]): Promise<Item> {
    const { targets, modules } = await targetsOf(this.#tree, this.#kernel.release, names);
    const toDo = new Set<BootKind>(targets.length === 0 ? ["targets first"] : ["livepatch first", "targets first"]);
    return { path, livepatch, targets, modules, guestPath, toDo, boots: [], seconds: 0 };
  }

  async #work(machines: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const share = Math.ceil(this.#queue.length / machines);
      const items = this.#queue.splice(0, Math.min(share, this.#options.perBoot ?? 64));
      if (items.length === 0) return;
      await this.#boot(items, signal);
      this.#queue.unshift(...items.filter(({ toDo }) => toDo.size > 0));
    }
  }

  /** Does what can be done in one boot; what is left is in the items' `toDo`. */
  async #boot(items: readonly Item[], signal: AbortSignal): Promise<void> {
    const log = join(this.#options.logs, `boot-${this.#boots++}.log`);
    const files: GuestFile[] = [
      ...moduleFiles(
        this.#kernel.release,
        items.flatMap(({ modules }) => modules),
      ),
      ...items.map(({ path, guestPath }): GuestFile => ({ kind: "copy", path: guestPath, from: path })),
    ];
    // One processor: every task but the running one is asleep, so a transition need not wait for its next try.
    const { arch, image } = this.#kernel;
    await using vm = await Vm.start({ arch, image, files, log, processors: 1, signal });
    const loaded = new Set<string>();
    for (const item of items) {
      const usable = await this.#try(item, vm, loaded);
      if (item.toDo.size === 0) await this.#conclude(item);
      if (!usable) return;
    }
    await vm.powerOff();
  }

  /** Returns whether the guest is fit for another livepatch. */
  async #try(item: Item, vm: Vm, loaded: Set<string>): Promise<boolean> {
    const began = performance.now();
    let usable = true;
    if (item.toDo.has("livepatch first") && !item.targets.some(({ name }) => loaded.has(name))) {
      const rehearsal = this.#rehearsal(item, "livepatch first", vm);
      await rehearsal.take(async () => {
        await rehearsal.loadLivepatch();
        await rehearsal.loadTargets(item.targets);
        await rehearsal.checkPatched("enabled and patched");
        await rehearsal.disable();
        await rehearsal.unload();
      });
      usable = rehearsal.cleanedUp;
      if (usable && rehearsal.stays) return this.#spend(item, began, await this.#unloadModules(item, vm, loaded));
      // To be told what the modules print, or fail to do, by themselves, they have to be loaded once more.
      const inDoubt =
        rehearsal.findings.length > 0 || [...rehearsal.targets.values()].some((outcome) => !outcome.loaded);
      if (usable && inDoubt) usable = await this.#unloadModules(item, vm, loaded);
      if (usable && inDoubt && item.targets.some(({ name }) => loaded.has(name))) return this.#spend(item, began, true);
    }
    if (usable && item.toDo.has("targets first")) {
      const rehearsal = this.#rehearsal(item, "targets first", vm);
      await rehearsal.take(async () => {
        await rehearsal.loadTargets(item.targets);
        await rehearsal.loadLivepatch();
        await rehearsal.checkPatched("enabled and patched");
        const { layouts } = this.#options;
        if (layouts !== undefined) await rehearsal.checkMemory(IN_MEMORY, await memoryCheck(item.path, layouts));
        await rehearsal.disable();
        await rehearsal.unload();
      });
      usable = rehearsal.cleanedUp;
      if (!usable) item.toDo.clear();
    }
    if (usable) usable = await this.#unloadModules(item, vm, loaded);
    return this.#spend(item, began, usable);
  }

  #spend(item: Item, began: number, usable: boolean): boolean {
    item.seconds += (performance.now() - began) / 1000;
    return usable;
  }

  #rehearsal(item: Item, kind: BootKind, vm: Vm): GuestRehearsal {
    const rehearsal = new GuestRehearsal(vm, kind, {
      livepatch: item.livepatch,
      file: item.guestPath,
      timeoutSeconds: this.#options.timeoutSeconds ?? 30,
    });
    item.toDo.delete(kind);
    item.boots.push({
      kind,
      rehearsal,
      seconds: vm.bootSeconds,
      log: vm.log,
      // The machine ends with its first reset, so a guest that is not lost has run through.
      get uptimeContinues() {
        return rehearsal.lost === undefined;
      },
    });
    return rehearsal;
  }

  /** Unloads what was loaded for an item as far as that goes, and notes in `loaded` what stays. */
  async #unloadModules(item: Item, vm: Vm, loaded: Set<string>): Promise<boolean> {
    const names = item.modules.map(({ name }) => name).reverse();
    const mayGo = names.filter((name) => !this.#sticky.has(name));
    if (names.length === 0) return true;
    for (const name of names) if (this.#sticky.has(name)) loaded.add(name);
    try {
      const { output } = await vm.run(`try_unload ${mayGo.map(quoted).join(" ")}`);
      const stays = new Set([...output.matchAll(/^loaded (\S+)$/gm)].map(([, name]) => name as string));
      for (const name of mayGo) {
        if (stays.has(name)) loaded.add(name);
        else loaded.delete(name);
      }
      return true;
    } catch (error) {
      if (!(error instanceof GuestLost)) throw error;
      for (const name of mayGo) this.#sticky.add(name);
      return false;
    }
  }

  async #conclude(item: Item): Promise<void> {
    const { path, livepatch, guestPath, targets, boots, seconds } = item;
    const unknown = boots.flatMap(({ rehearsal }) => rehearsal.unknownTargets(targets));
    if (unknown.length > 0) {
      const names = new Set([...targets.map(({ name }) => name), ...unknown]);
      this.#queue.push(await this.#item(path, livepatch, guestPath, [...names]));
    } else {
      this.#finish(path, verdict(boots, { livepatch, release: this.#kernel.release, targets, seconds }));
    }
  }

  #finish(path: string, result: RehearsalResult): void {
    this.#results.set(path, result);
    this.#options.onResult?.(path, result);
  }
}
