import { lstat, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import type { Arch } from "../arch/arch.ts";
import { type LivepatchFile, madeForAnother, readLivepatchFile } from "../patch/livepatch-file.ts";
import { GUEST_DIRECTORY, moduleFiles } from "./guest.ts";
import { type GuestIdentity, GuestRehearsal, type TargetModule } from "./guest-rehearsal.ts";
import type { GuestFile } from "./initramfs.ts";
import { memoryCheck } from "./memory-check.ts";
import { type KernelModule, ModuleTree } from "./module-tree.ts";
import type { BootKind, RehearsalResult } from "./result.ts";
import { type Boot, verdict } from "./verdict.ts";
import { GuestLost, Vm } from "./vm.ts";

/** A stock kernel as files; nothing of it is changed. */
export interface RehearsalKernel {
  /** What it is for; default: the machine that runs here. */
  readonly arch?: Arch | undefined;
  readonly release: string;
  /** Path of `vmlinuz`. */
  readonly image: string;
  /** Path of `lib/modules/<release>`; depmod need not have run. */
  readonly modules: string;
}

/** What is to be tried, in which kernel, and what else is to be done in the guest meanwhile. */
export interface RehearseRequest {
  readonly kernel: RehearsalKernel;
  /** Path of the livepatch, any `.ko` that is one. */
  readonly livepatch: string;
  /**
   * Paths of scripts for /bin/sh in the guest: before the livepatch is loaded,
   * with all its targets loaded; as a workload from then on until it is
   * disabled again, when it may have ended with status 0 or gets a SIGTERM;
   * while it is enabled; and after it was unloaded, before it is loaded once
   * more. They run in the boot where the targets come first.
   */
  readonly before?: string | undefined;
  readonly during?: string | undefined;
  readonly after?: string | undefined;
  readonly unloaded?: string | undefined;
  /** What the scripts need: host path to guest path. */
  readonly files?: ReadonlyMap<string, string> | undefined;
  /** More modules that the scripts, or the kernel by itself, can load with modprobe. */
  readonly extraModules?: readonly string[] | undefined;
  /** Modules that it patches, besides those that its file names; the guest tells of them, at the price of more boots. */
  readonly targets?: readonly string[] | undefined;
  /** For each transition and each script; default 60. */
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told when a boot begins with a step; two boots may go on at once. */
  readonly onStep?: ((boot: BootKind, step: string) => void) | undefined;
  /**
   * Path of the kernel's struct layouts: then the guest's memory is compared with
   * the livepatch while it is enabled. For livepatches that suture built.
   */
  readonly layouts?: string | undefined;
  /** Where the guest's kernel log is kept. The second boot's gets `-livepatch-first` before its extension. */
  readonly log: string;
}

/**
 * Tries a livepatch in a virtual machine with the stock kernel: with the
 * modules that it patches loaded before it and, in a second boot, after it.
 *
 * Throws for what is broken on this side (`PROGRAM_MISSING`,
 * `LIVEPATCH_UNREADABLE`, `GUEST_NOT_BOOTED`, ...); what the livepatch does
 * wrong, a dead guest included, is in the result.
 */
export async function rehearse(request: RehearseRequest): Promise<RehearsalResult> {
  const began = performance.now();
  const livepatch = await readLivepatchFile(request.livepatch);
  const refused = madeForAnother(livepatch, request.kernel.release);
  if (refused !== undefined) return { kind: "refused", refusal: refused };
  const tree = await ModuleTree.open(request.kernel.modules);
  const names = [...new Set([...livepatch.targets, ...(request.targets ?? [])])];
  const { targets, modules } = await targetsOf(tree, request.kernel.release, names);
  for (const name of request.extraModules ?? []) modules.push(...(await tree.loadOrder(name)));
  const files = [...moduleFiles(request.kernel.release, modules), ...guestFiles(request)];
  const logs: string[] = [];
  const boot = (kind: BootKind): Promise<Boot> => {
    const log = kind === "targets first" ? request.log : secondLog(request.log);
    return bootOnce({ kind, log, onStart: () => logs.push(log) }, request, { livepatch, targets, files });
  };
  const kinds: BootKind[] = targets.length === 0 ? ["targets first"] : ["targets first", "livepatch first"];
  const booting = availableParallelism() > 1 ? together(kinds.map(boot)) : inTurn(kinds, boot);
  const boots = await booting.catch(async (error: unknown) => {
    // The log of a guest that was lost tells why; those of a rehearsal that was stopped tell nothing.
    if (!(error instanceof GuestLost)) await removeFiles(logs);
    throw error;
  });
  const unknown = boots.flatMap(({ rehearsal }) => rehearsal.unknownTargets(targets));
  if (unknown.length > 0) return await rehearse({ ...request, targets: [...names, ...new Set(unknown)] });
  const seconds = (performance.now() - began) / 1000;
  return verdict(boots, { livepatch, release: request.kernel.release, targets, seconds });
}

/** Name of the step in which the guest's memory is compared with the livepatch. */
export const IN_MEMORY = "new code in memory, and what leads to it";
const LIVEPATCH = `${GUEST_DIRECTORY}/livepatch.ko`;
const script = (name: string): string => `${GUEST_DIRECTORY}/scripts/${name}`;
const SCRIPTS = ["before", "during", "after", "unloaded"] as const;

interface BootPlan {
  readonly kind: BootKind;
  readonly log: string;
  readonly onStart: () => void;
}

/** What a guest has in it. */
interface Inside {
  readonly livepatch: LivepatchFile;
  readonly targets: readonly TargetModule[];
  readonly files: readonly GuestFile[];
}

async function bootOnce(
  { kind, log, onStart }: BootPlan,
  request: RehearseRequest,
  { livepatch, targets, files }: Inside,
): Promise<Boot> {
  const { arch, image } = request.kernel;
  request.onStep?.(kind, "boot");
  await using vm = await Vm.start({ arch, image, files, log, signal: request.signal });
  onStart();
  const rehearsal = new GuestRehearsal(vm, kind, {
    livepatch,
    file: LIVEPATCH,
    timeoutSeconds: request.timeoutSeconds ?? 60,
    onStep: request.onStep,
  });
  let uptimeContinues = false;
  let first: GuestIdentity | undefined;
  await rehearsal.take(async () => {
    first = await rehearsal.identity("see which kernel runs");
    if (kind === "targets first") await targetsFirst(rehearsal, request, targets);
    else await livepatchFirst(rehearsal, targets);
  });
  if (rehearsal.lost === undefined) {
    await rehearsal.take(async () => {
      const last = await rehearsal.identity("see that it still runs");
      uptimeContinues = first?.boot === last.boot && last.uptime > first.uptime;
    });
  }
  if (rehearsal.lost === undefined) await vm.powerOff();
  return { kind, rehearsal, seconds: vm.bootSeconds, log, uptimeContinues };
}

async function targetsFirst(
  rehearsal: GuestRehearsal,
  request: RehearseRequest,
  targets: readonly TargetModule[],
): Promise<void> {
  await rehearsal.loadTargets(targets);
  if (request.before !== undefined) await rehearsal.script("script before", script("before"));
  if (request.during !== undefined) await rehearsal.startDuring(script("during"));
  await rehearsal.loadLivepatch();
  await rehearsal.checkPatched("enabled and patched");
  if (request.layouts !== undefined)
    await rehearsal.checkMemory(IN_MEMORY, await memoryCheck(request.livepatch, request.layouts));
  if (request.after !== undefined) await rehearsal.script("script after", script("after"));
  await rehearsal.disable();
  if (request.during !== undefined) await rehearsal.stopDuring();
  await rehearsal.unload();
  if (request.unloaded !== undefined) await rehearsal.script("script after the unload", script("unloaded"));
  if (rehearsal.stays) return;
  await rehearsal.loadLivepatch("load it again");
  await rehearsal.checkPatched("enabled and patched again");
  await rehearsal.disable("disable it again");
  await rehearsal.unload("unload it again");
}

/** One module is loaded once only: 6.1 refuses to load it a second time under a livepatch. */
async function livepatchFirst(rehearsal: GuestRehearsal, targets: readonly TargetModule[]): Promise<void> {
  await rehearsal.loadLivepatch();
  await rehearsal.loadTargets(targets);
  await rehearsal.checkPatched("enabled and patched");
  await rehearsal.disable();
  await rehearsal.unload();
}

/** What the modules to patch need in the guest. A module that the kernel has built in needs nothing. */
export async function targetsOf(
  tree: ModuleTree,
  release: string,
  names: readonly string[],
): Promise<{ targets: TargetModule[]; modules: KernelModule[] }> {
  const modules: KernelModule[] = [];
  const targets: TargetModule[] = [];
  for (const name of names) {
    if (!tree.has(name) && !tree.isBuiltIn(name)) {
      targets.push({ name, files: [], missing: `this kernel has no module ${name}` });
      continue;
    }
    const order = await tree.loadOrder(name);
    modules.push(...order);
    targets.push({ name, files: order.map(({ path }) => `/lib/modules/${release}/${path}`) });
  }
  return { targets, modules };
}

function guestFiles(request: RehearseRequest): GuestFile[] {
  const scripts = SCRIPTS.flatMap((name): GuestFile[] => {
    const from = request[name];
    return from === undefined ? [] : [{ kind: "copy", path: script(name), from }];
  });
  const brought = [...(request.files ?? [])].map(([from, path]): GuestFile => ({ kind: "copy", path, from }));
  return [{ kind: "copy", path: LIVEPATCH, from: request.livepatch }, ...scripts, ...brought];
}

function secondLog(path: string): string {
  const extension = extname(path);
  return `${path.slice(0, path.length - extension.length)}-livepatch-first${extension}`;
}

/** What is no ordinary file, such as /dev/null, stays. */
async function removeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const isFile = await lstat(path).then(
      (found) => found.isFile(),
      () => false,
    );
    if (isFile) await rm(path, { force: true });
  }
}

/** Waits for all, so that nothing still runs when the first error is thrown. */
async function together<Value>(all: readonly Promise<Value>[]): Promise<Value[]> {
  await Promise.allSettled(all);
  return await Promise.all(all);
}

async function inTurn<Item, Value>(items: readonly Item[], each: (item: Item) => Promise<Value>): Promise<Value[]> {
  const values: Value[] = [];
  for (const item of items) values.push(await each(item));
  return values;
}
