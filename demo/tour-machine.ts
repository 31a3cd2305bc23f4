/** The machine of the tour: a Debian system with systemd, and the files that the administrator has. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { debianPackage } from "../packaging/debian-package.ts";
import { Cache } from "../src/lib/cache.ts";
import { abortReason } from "../src/lib/interrupt.ts";
import { run } from "../src/lib/run.ts";
import type { Kernel } from "../src/provider/kernel/kernel.ts";
import { debianRoot } from "../test/machine/debian-root.ts";
import { machineOf, PACKAGES, resumed } from "../test/machine/frozen-machine.ts";
import type { Machine } from "../test/machine/machine.ts";
import { claim } from "./story.ts";
import { CHECKOUT } from "./suture.ts";

/** By the names that the README gives them, the diffs that they are built from; the second one lies on the first. */
const LIVEPATCHES = {
  "livepatch-fix.ko": ["CVE-2026-97597.patch"],
  "livepatch-harm.ko": ["--no-replace", "harm.patch"],
};

/** It is made while other things are shown. */
export class TourMachine {
  /** Told which kernel it is to have, once that is ready. */
  readonly begin: (kernel: Kernel) => void;
  /** Undefined where this user cannot make one: its files belong to root. */
  readonly ready: Promise<Machine | undefined>;

  private constructor(directory: string, signal: AbortSignal) {
    let begin: (kernel: Kernel) => void = () => {};
    const promise = new Promise<Kernel>((resolve, reject) => {
      begin = resolve;
      signal.addEventListener("abort", () => reject(abortReason(signal)));
    });
    this.begin = begin;
    this.ready = process.getuid?.() === 0 ? made(directory, promise, signal) : Promise.resolve(undefined);
    // It is told where the machine is asked for.
    for (const each of [this.ready, promise]) each.catch(() => {});
  }

  /** @param directory for files that last as long as it */
  static prepare(directory: string, signal: AbortSignal): TourMachine {
    return new TourMachine(directory, signal);
  }
}

async function made(directory: string, known: Promise<Kernel>, signal: AbortSignal): Promise<Machine> {
  const cache = new Cache();
  const root = await debianRoot(cache, PACKAGES);
  const deb = await debianPackage(directory);
  const kernel = await known;
  const { release, vmlinuz: image, modules } = kernel;
  claim(image !== undefined, "the kernel has an image that boots", kernel.directory);
  const frozen = await machineOf(cache, { release, image, modules }, root);
  for (const [name, how] of Object.entries(LIVEPATCHES)) {
    const args = ["build", "--kernel", release, "--output", join(directory, name), "-q", ...how];
    await run(`${CHECKOUT}bin/suture`, args, { cwd: join(CHECKOUT, "demo"), check: true, signal });
  }
  const place = join(directory, "machine");
  await mkdir(place);
  const machine = await resumed(frozen, place);
  const names = Object.keys(LIVEPATCHES).map((name): [string, string] => [name, join(directory, name)]);
  await machine.put("/root", { ...Object.fromEntries(names), "suture.deb": deb });
  // As the README's pattern has it.
  await machine.told("mv /root/suture.deb /root/suture_$(dpkg-deb -f /root/suture.deb Version)_amd64.deb");
  return machine;
}
