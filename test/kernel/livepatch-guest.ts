import { join } from "node:path";
import { expect } from "vitest";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import type { Kernel } from "../../src/provider/kernel/kernel.ts";
import { moduleFiles } from "../../src/rehearse/guest.ts";
import { GuestLivepatch, type RunInGuest } from "../../src/rehearse/guest-livepatch.ts";
import type { GuestFile } from "../../src/rehearse/initramfs.ts";
import { findingsIn } from "../../src/rehearse/kernel-log.ts";
import { ModuleTree } from "../../src/rehearse/module-tree.ts";
import { type Job, Vm } from "../../src/rehearse/vm.ts";
import type { KernelBuildResult } from "../../src/subject/kernel/build.ts";
import { openKernel } from "../../src/subject/kernel/open-kernel.ts";
import type { LogLine } from "../../src/targets/kernel/kernel-messages.ts";
import { buildEdits, type Edit } from "./source-diffs.ts";
import { type Series, stockKernel } from "./stock-kernel.ts";

/** What a livepatch of a test says in the kernel's log begins with this. */
const SAYS = "suture test: ";
/** Fiftieths of a second. */
const LOOKS = 1500;

export interface GuestOptions {
  /** Livepatches by name: stacked on others, each of some edits of the source. */
  readonly edits: Readonly<Record<string, readonly Edit[]>>;
  /** Livepatches that replace others. */
  readonly replacing?: Readonly<Record<string, readonly Edit[]>>;
  /** Modules that can be loaded, and what they need. */
  readonly modules?: readonly string[];
  /** What else the guest has. */
  readonly files?: readonly GuestFile[];
}

/** A virtual machine with a stock kernel, and livepatches to be loaded there. */
export class LivepatchGuest implements AsyncDisposable {
  readonly built: ReadonlyMap<string, KernelBuildResult>;
  readonly #directory: TemporaryDirectory;
  readonly #vm: Vm;
  readonly #log: LogLine[] = [];

  private constructor(directory: TemporaryDirectory, built: ReadonlyMap<string, KernelBuildResult>, vm: Vm) {
    this.#directory = directory;
    this.built = built;
    this.#vm = vm;
  }

  /** Builds the livepatches and boots. */
  static async start(
    series: Series,
    { edits, replacing = {}, modules = [], files = [] }: GuestOptions,
  ): Promise<LivepatchGuest> {
    const { release } = await stockKernel(series);
    const kernel = await openKernel({ kind: "release", release }, { cache: new Cache(), progress: silentProgress });
    const directory = await temporaryDirectory();
    try {
      const built = new Map<string, KernelBuildResult>();
      for (const [name, each] of Object.entries(edits))
        built.set(name, await buildEdits(kernel, directory.path, name, each));
      for (const [name, each] of Object.entries(replacing))
        built.set(name, await buildEdits(kernel, directory.path, name, each, true));
      return new LivepatchGuest(directory, built, await booted(kernel, directory.path, built, { modules, files }));
    } catch (error) {
      await directory[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#vm[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }

  /** Runs a command, whatever comes of it. */
  async run(command: string): Promise<Job> {
    return await this.#vm.run(command);
  }

  /** Runs a command that has to succeed, and keeps what the kernel said meanwhile. */
  async done(command: string): Promise<Job> {
    const job = await this.#vm.run(command);
    this.#log.push(...job.log);
    expect({ command, status: job.status, output: job.output }).toMatchObject({ status: 0 });
    return job;
  }

  async output(command: string): Promise<string> {
    return (await this.done(command)).output.trim();
  }

  /** @returns what became of a transition that was given some looks to end, whatever that is */
  async tryLoad(name: string, looks: number): Promise<{ readonly kind: string; readonly said: readonly string[] }> {
    const log: LogLine[] = [];
    const livepatch = new GuestLivepatch(this.#hearing(log), name);
    const { kind } = await livepatch.load(`/livepatches/${name}.ko`, looks);
    // What the kernel says of one that it refuses is wanted.
    if (kind !== "failed") this.#log.push(...log);
    return { kind, said: said({ log }) };
  }

  async load(name: string): Promise<Said> {
    expect(this.built.get(name)).toMatchObject({ kind: "built" });
    return await this.#inGuest(name, async (livepatch) => {
      expect(await livepatch.load(`/livepatches/${name}.ko`, LOOKS)).toMatchObject({ kind: "enabled" });
    });
  }

  async remove(name: string): Promise<Said> {
    const built = this.built.get(name);
    const stays = built?.kind === "built" && built.metadata.stays.length > 0;
    return await this.#inGuest(name, async (livepatch) => {
      expect(await livepatch.disable(LOOKS)).toMatchObject({ kind: "gone" });
      expect(await (stays ? livepatch.stays() : livepatch.unload())).toMatchObject({ status: 0 });
    });
  }

  /** Keeps what the kernel said meanwhile. */
  async #inGuest(name: string, work: (livepatch: GuestLivepatch) => Promise<void>): Promise<Said> {
    const log: LogLine[] = [];
    await work(new GuestLivepatch(this.#hearing(log), name));
    this.#log.push(...log);
    return { log };
  }

  /** Runs commands, and puts what the kernel says meanwhile there. */
  #hearing(log: LogLine[]): RunInGuest {
    return async (command) => {
      const job = await this.#vm.run(command);
      log.push(...job.log);
      return job;
    };
  }

  /** What the kernel has said of commands that succeeded, and is neither a notice of patching nor said by a test. */
  findings(): ReturnType<typeof findingsIn> {
    const own = this.#log.map(({ text }) => text).filter((text) => text.startsWith(SAYS));
    return findingsIn(this.#log, this.#vm.machine.faults, new Set(own));
  }
}

/** What the kernel said during something. */
export type Said = Pick<Job, "log">;

/** What livepatches of the tests have said. */
export function said({ log }: Said): string[] {
  return log.flatMap(({ text }) => (text.startsWith(SAYS) ? [text.slice(SAYS.length)] : []));
}

async function booted(
  kernel: Kernel,
  directory: string,
  built: ReadonlyMap<string, KernelBuildResult>,
  { modules, files }: Required<Pick<GuestOptions, "modules" | "files">>,
): Promise<Vm> {
  const tree = await ModuleTree.open(kernel.modules);
  const needed = (await Promise.all(modules.map((name) => tree.loadOrder(name)))).flat();
  const livepatches = [...built].filter(([, { kind }]) => kind === "built");
  return await Vm.start({
    image: kernel.vmlinuz ?? "",
    // One processor: what is counted for each of them is then one sequence.
    processors: 1,
    files: [
      ...files,
      ...moduleFiles(kernel.release, needed),
      ...livepatches.map(([name]) => ({
        kind: "copy" as const,
        path: `/livepatches/${name}.ko`,
        from: join(directory, `${name}.ko`),
      })),
    ],
    log: join(directory, "log"),
  });
}
