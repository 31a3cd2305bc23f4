/** Machines that have started and stand still, from which tests go on. */
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { archOfHost, vmOf } from "../../src/arch/registry.ts";
import { Cache } from "../../src/lib/cache.ts";
import { run } from "../../src/lib/run.ts";
import { type StockKernel, stockKernel } from "../kernel/stock-kernel.ts";
import { writeDisk, writeInitrd } from "./debian-disk.ts";
import { type DebianRoot, debianRoot } from "./debian-root.ts";
import { Machine } from "./machine.ts";

/** What a machine that stands still consists of; it may be gone on with any number of times. */
export interface FrozenMachine {
  /** Of its kernel. */
  readonly release: string;
  readonly image: string;
  readonly initrd: string;
  /** qcow2, never written to any more. */
  readonly disk: string;
  readonly state: string;
}

/** A console for the log; a panic starts the system anew; what a busy host does to timers is no fault. */
const APPEND =
  "console=ttyS0 console_msg_format=syslog ignore_loglevel printk.devkmsg=on panic=5 tsc=reliable no_timer_check cryptomgr.notests=1";
const CARGO_BYTES = 512 * 2 ** 20;

/** Besides what every Debian system has. */
export const PACKAGES: readonly string[] = ["dbus", "init", "iproute2", "kmod", "procps", "udev"];

/** Debian 12 with its newest stock kernel, up to multi-user.target, nothing of suture in it; made once for its packages. */
export async function debianMachine(cache: Cache = new Cache()): Promise<FrozenMachine> {
  const kernel = await stockKernel("6.1");
  const root = await debianRoot(cache, [...PACKAGES, `linux-image-${kernel.release}`], "bookworm");
  return await machineOf(cache, kernel, root);
}

/** The same of any kernel and any tree. */
export async function machineOf(
  cache: Cache,
  kernel: Pick<StockKernel, "release" | "image" | "modules">,
  root: DebianRoot,
): Promise<FrozenMachine> {
  const { stdout: qemu } = await run("qemu-system-x86_64", ["--version"], { check: true });
  const made = ["agent.pl", "agent.service", "debian-disk.ts", "frozen-machine.ts", "qemu-machine.ts"];
  const sources = await Promise.all(made.map((name) => readFile(join(import.meta.dirname, name))));
  // What it is frozen on has to be what it goes on on.
  const { board, emulated } = vmOf(archOfHost());
  const entry = cache.entry("machines", [kernel.release, root.packages, qemu, ...board, ...emulated, ...sources]);
  const at = (directory: string): FrozenMachine => ({
    release: kernel.release,
    image: kernel.image,
    initrd: join(directory, "initrd"),
    disk: join(directory, "disk.qcow2"),
    state: join(directory, "state"),
  });
  await entry.locked(async () => {
    if (entry.exists()) return;
    await entry.makeDirectory(async (directory) => {
      const { initrd, disk, state } = at(directory);
      await writeDisk(root.tar, join(directory, "base.img"));
      await writeInitrd(kernel.modules, initrd);
      // By a name alone: the directory gets another one when it is whole.
      await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", "base.img", "-F", "raw", "disk.qcow2"], {
        cwd: directory,
        check: true,
      });
      const hardware = { image: kernel.image, initrd, append: APPEND, disk, ...(await consumables(directory)) };
      await using machine = await Machine.start(hardware);
      await machine.told("systemctl is-system-running --wait");
      await machine.told("sync");
      await machine.freeze(state);
    });
  });
  return at(entry.path);
}

/** A machine that goes on from where it was frozen, its files in a directory of its own. */
export async function resumed(frozen: FrozenMachine, directory: string): Promise<Machine> {
  const { image, initrd, state } = frozen;
  const disk = join(directory, "disk.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", frozen.disk, "-F", "qcow2", disk], { check: true });
  return await Machine.start({ image, initrd, append: APPEND, disk, state, ...(await consumables(directory)) });
}

/** Has a machine stand still, and ends it. */
export async function frozenAgain(machine: Machine, release: string): Promise<FrozenMachine> {
  const { image, initrd, disk } = machine.hardware;
  const state = `${disk}.state`;
  await machine.freeze(state);
  return { release, image, initrd, disk, state };
}

async function consumables(directory: string): Promise<{ readonly cargo: string; readonly console: string }> {
  const cargo = join(directory, "cargo");
  const file = await open(cargo, "w");
  await file.truncate(CARGO_BYTES);
  await file.close();
  return { cargo, console: join(directory, "console") };
}
