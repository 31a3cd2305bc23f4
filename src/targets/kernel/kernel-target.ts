import { constants } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { SutureError } from "../../lib/error.ts";
import { throwIfAborted } from "../../lib/interrupt.ts";
import { run } from "../../lib/run.ts";
import { readLivepatchFile } from "../../patch/livepatch-file.ts";
import type { Refusal } from "../../patch/refusal.ts";
import type { PatchStatus, Target, TargetIdentity } from "../target.ts";
import { findHolders } from "./holders.ts";
import { kernelBuildId, preflight, releaseOf } from "./preflight.ts";
import { LIVEPATCHES, readIfThere, readPatch, readPatches, type SysfsPatch } from "./sysfs.ts";

export interface KernelTargetOptions {
  /** The root of the file system in which sysfs and /proc are; default `/`. */
  readonly root?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const POLL_MILLISECONDS = 20;
/** A module that has just been disabled is busy until the kernel has let go of it. */
const BUSY_MILLISECONDS = 5000;

/** A running kernel, by the livepatch core of its own. All but looking needs root. */
export class KernelTarget implements Target {
  readonly #root: string;
  readonly #signal: AbortSignal | undefined;

  constructor(options: KernelTargetOptions = {}) {
    this.#root = options.root ?? "/";
    this.#signal = options.signal;
  }

  async identify(): Promise<TargetIdentity> {
    return { name: `Linux ${await releaseOf(this.#root)}`, buildId: await kernelBuildId(this.#root) };
  }

  /** Throws what `readLivepatchFile` throws. */
  async preflight(livepatch: string): Promise<readonly Refusal[]> {
    return await preflight(this.#root, await readLivepatchFile(livepatch));
  }

  /** Throws `LOAD_FAILED` with the kernel's words, `NOT_PERMITTED`, and what `readLivepatchFile` throws. */
  async load(livepatch: string): Promise<PatchStatus> {
    const { name } = await readLivepatchFile(livepatch);
    const { exitCode, stderr } = await run("insmod", [livepatch], { signal: this.#signal });
    if (exitCode !== 0) {
      throw new SutureError("LOAD_FAILED", `the kernel did not take ${name} in`, {
        where: stderr.trim(),
        hint: "the kernel's log says why: dmesg",
      });
    }
    return await this.#statusOf(name);
  }

  async enable(patch: string): Promise<void> {
    await this.#write(patch, "enabled", "1");
  }

  async disable(patch: string): Promise<void> {
    await this.#write(patch, "enabled", "0");
  }

  async force(patch: string): Promise<void> {
    await this.#write(patch, "force", "1");
  }

  async status(): Promise<readonly PatchStatus[]> {
    const patches = await readPatches(this.#root);
    return await Promise.all(patches.map((patch) => this.#withHolders(patch)));
  }

  /**
   * Waits until a patch is in no transition; a disabled one is then gone from
   * the status. Throws `TRANSITION_TIMED_OUT`, which changes nothing.
   */
  async settled(patch: string, timeoutSeconds: number): Promise<void> {
    const end = performance.now() + timeoutSeconds * 1000;
    for (;;) {
      throwIfAborted(this.#signal);
      const seen = await readPatch(this.#root, patch);
      if (seen === undefined || (!seen.transition && seen.enabled)) return;
      if (performance.now() >= end) throw await this.#timedOut(seen, timeoutSeconds);
      await wait(POLL_MILLISECONDS);
    }
  }

  /**
   * `stays`: a module that is disabled and holds itself, since addresses of it may be in use, or
   * whose transition was forced. Throws `UNLOAD_FAILED`, for instance for a patch that is enabled.
   */
  async unload(patch: string): Promise<"unloaded" | "stays"> {
    const end = performance.now() + BUSY_MILLISECONDS;
    for (;;) {
      const { exitCode, stderr } = await run("rmmod", [patch], { signal: this.#signal });
      if (exitCode === 0) return "unloaded";
      const known = await readPatch(this.#root, patch);
      const enabled = known?.enabled === true;
      const isOver = performance.now() >= end;
      if (isOver && known === undefined && (await this.#holdsItself(patch))) return "stays";
      if (enabled || isOver) {
        throw new SutureError("UNLOAD_FAILED", `${patch} cannot be unloaded`, {
          where: stderr.trim(),
          hint: enabled ? "disable it first" : "the kernel's log may say why: dmesg",
        });
      }
      await wait(POLL_MILLISECONDS);
    }
  }

  /** Whether a module is in use and no other module uses it. */
  async #holdsItself(module: string): Promise<boolean> {
    const directory = join(this.#root, "sys/module", module);
    const references = await readIfThere(join(directory, "refcnt"));
    const users = await readdir(join(directory, "holders")).catch(() => []);
    return users.length === 0 && Number(references) > 0;
  }

  async #statusOf(name: string): Promise<PatchStatus> {
    const patch = await readPatch(this.#root, name);
    if (patch === undefined) throw this.#noSuchPatch(name);
    return await this.#withHolders(patch);
  }

  async #withHolders(patch: SysfsPatch): Promise<PatchStatus> {
    const holders = patch.transition ? await findHolders(this.#root, patch.enabled ? "old" : "new") : [];
    return { ...patch, holders };
  }

  async #write(patch: string, file: "enabled" | "force", value: string): Promise<void> {
    if (!/^\w+$/.test(patch)) throw this.#noSuchPatch(patch);
    const path = join(this.#root, LIVEPATCHES, patch, file);
    try {
      // For writing alone: sysfs gives no more than its mode says, to root as well, and force may not be read.
      await writeFile(path, value, { flag: constants.O_WRONLY });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") throw this.#noSuchPatch(patch);
      if (code === "EACCES" || code === "EPERM") {
        throw new SutureError("NOT_PERMITTED", `only root may change ${patch}`, { where: path, cause: error });
      }
      // EINVAL: it is in that state already, or cannot get there.
      throw new SutureError("STATE_NOT_CHANGED", `the kernel does not write ${value} to ${file} of ${patch}: ${code}`, {
        where: path,
        hint: "see its status; a disabled patch has to be unloaded and loaded again",
        cause: error,
      });
    }
  }

  #noSuchPatch(patch: string): SutureError {
    return new SutureError("NO_SUCH_PATCH", `the kernel has no livepatch ${patch}`, {
      where: join(this.#root, LIVEPATCHES),
    });
  }

  async #timedOut(patch: SysfsPatch, seconds: number): Promise<SutureError> {
    const { holders } = await this.#withHolders(patch);
    const tasks = holders.slice(0, 5).map(({ tid, name, stack }) => `${name} (${tid}) in ${stack[0] ?? "user space"}`);
    return new SutureError("TRANSITION_TIMED_OUT", `the transition of ${patch.name} did not end within ${seconds} s`, {
      where: tasks.length === 0 ? "no task was seen to hold it up" : `held up by ${tasks.join(", ")}`,
      hint: "wait longer, turn it back, or force it",
    });
  }
}
