import type { LivepatchFile } from "../../patch/livepatch-file.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { Target } from "../target.ts";
import type { VerbResult } from "../verb-result.ts";
import { forecast } from "./forecast.ts";
import { adviceFor, findHolders } from "./holders.ts";
import { releaseOf } from "./identity.ts";
import { KernelMessages } from "./kernel-messages.ts";
import { loadFailure } from "./load-failure.ts";
import { type ModuleLoader, moduleLoader, readModule } from "./modules.ts";
import { keptInMemory, preflight } from "./preflight.ts";
import { readPatch, readPatches, type SysfsPatch, writeFlag } from "./sysfs.ts";
import { type Limits, type Settled, settled, type Watch } from "./transition.ts";
import { unloadModule } from "./unload-module.ts";
import { wake } from "./wake.ts";

/** Where the kernel is looked at, and how long a transition of it may take. */
export interface KernelTargetOptions {
  /** The root of the file system in which sysfs and /proc are; default `/`. */
  readonly root?: string | undefined;
  /** Default: the running kernel's. */
  readonly loader?: ModuleLoader | undefined;
  /** Milliseconds that a transition may take, default 60,000; the way back has as many again, and 20,000 at least. */
  readonly timeoutMs?: number | undefined;
  /** When time is over: turn the transition back (default), or leave it as it is. */
  readonly onDeadline?: "reverse" | "keep" | undefined;
  /** Told of each transition that takes longer than a moment, twice a second. */
  readonly watch?: Watch | undefined;
  /** Aborted: as if time were over. */
  readonly signal?: AbortSignal | undefined;
}

/** The kernel's own signals to tasks that are behind come after 15 s, and again after as many. */
const DEFAULT_TIMEOUT_MS = 60_000;
/** The kernel looks at tasks that are behind once a second, and sends its signals after 15. */
const LEAST_WAY_BACK_MS = 20_000;
/** For woken tasks to come to the border, and for the kernel to look at the others again. */
const WAKE_MS = 20_000;

/** A running kernel, by the livepatch core of its own. All but looking needs root. */
export class KernelTarget implements Target<LivepatchFile> {
  readonly #root: string;
  readonly #options: KernelTargetOptions;
  readonly #loader: ModuleLoader;

  constructor(options: KernelTargetOptions = {}) {
    this.#root = options.root ?? "/";
    this.#options = options;
    this.#loader = options.loader ?? moduleLoader;
  }

  async preflight(livepatch: LivepatchFile): Promise<VerbResult> {
    const { problems, notes, notProved } = await preflight(this.#root, livepatch);
    const patched = (livepatch.metadata?.objects ?? []).flatMap(({ name: object, funcs }) =>
      funcs.map(({ name }) => ({ object, name })),
    );
    const expected = await forecast(this.#root, patched);
    return await this.#result(problems.length === 0 ? "done" : "refused", {
      problems,
      notes: [...notes, ...notProved, ...expected.notes],
      holders: expected.holders,
    });
  }

  /** A module of its name that was disabled and that nothing keeps is unloaded first; what it replaces is unloaded after it. */
  async load(livepatch: LivepatchFile): Promise<VerbResult> {
    const { name, data } = livepatch;
    const { problems, notProved } = await preflight(this.#root, livepatch);
    // Who loads what another tool has made knows that.
    const told = livepatch.metadata === undefined ? [] : notProved;
    if (problems.length > 0) return await this.#refused(...problems);
    if ((await readModule(this.#root, name)) !== undefined) {
      const left = await unloadModule(this.#root, this.#loader, name);
      if (left.kind !== "unloaded") return await this.#refused(keptInMemory(name));
    }
    const before = await readPatches(this.#root);
    using log = KernelMessages.open(this.#root);
    const said = await this.#loader.insert(name, data);
    if (said !== undefined) return await this.#refused(loadFailure(name, said, log?.take() ?? []));
    const end = await settled(this.#root, name, this.#limits());
    if (end.kind === "late") return await this.#late(name, end.patch, "load");
    if (end.kind === "gone") return await this.#failed(name);
    return await this.#result("done", { notes: [...told, ...(await this.#withoutReplaced(before))] });
  }

  async enable(patch: string): Promise<VerbResult> {
    const seen = await readPatch(this.#root, patch);
    if (seen === undefined) return await this.#refused(await this.#notEnabled(patch));
    if (seen.enabled && !seen.transition) return await this.#result("unchanged");
    if (!seen.enabled && (await writeFlag(this.#root, patch, "enabled", "1")) === "busy")
      return await this.#refused(otherTransition(patch));
    return await this.#wentTo(patch, "enabled");
  }

  async disable(patch: string): Promise<VerbResult> {
    const seen = await readPatch(this.#root, patch);
    if (seen === undefined) {
      const isDisabled = (await readModule(this.#root, patch))?.isLivepatch === true;
      return isDisabled ? await this.#result("unchanged") : await this.#refused(noSuchPatch(patch));
    }
    if (seen.enabled && (await writeFlag(this.#root, patch, "enabled", "0")) === "busy")
      return await this.#refused(otherTransition(patch));
    return await this.#wentTo(patch, "gone");
  }

  async unload(patch: string): Promise<VerbResult> {
    const disabled = await this.disable(patch);
    if (disabled.outcome !== "done" && disabled.outcome !== "unchanged") return disabled;
    const left = await unloadModule(this.#root, this.#loader, patch);
    if (left.kind === "unloaded") return await this.#result("done");
    if (left.kind === "stays") return await this.#result("done", { kept: left.size });
    const what = `${patch} is disabled, and its module cannot be unloaded`;
    return await this.#result("failed", { problems: [refusal("UNLOAD_FAILED", what, left.said, "dmesg may say why")] });
  }

  async force(patch: string): Promise<VerbResult> {
    const seen = await readPatch(this.#root, patch);
    if (seen === undefined) return await this.#refused(noSuchPatch(patch));
    if (!seen.transition) return await this.#refused(noTransition(patch));
    await writeFlag(this.#root, patch, "force", "1");
    const notes = ["tasks may see some functions old and some new; what was forced out of use stays in memory"];
    const { timeoutMs } = this.#limits();
    const end = await settled(this.#root, patch, { timeoutMs });
    return end.kind === "late" ? await this.#pending(patch, end.patch) : await this.#result("done", { notes });
  }

  /** Has every task that is behind pass the border to user space at once, in place of waiting for the kernel's own signals. */
  async signal(patch: string): Promise<VerbResult> {
    const seen = await readPatch(this.#root, patch);
    if (seen === undefined) return await this.#refused(noSuchPatch(patch));
    if (!seen.transition) return await this.#refused(noTransition(patch));
    const woken = (await findHolders(this.#root, seen)).filter(wake);
    const notes = woken.map(({ name, tid, why }) => `woken: ${name} (${tid}), ${why}`);
    const { watch } = this.#options;
    const end = await settled(this.#root, patch, { timeoutMs: WAKE_MS, watch });
    if (end.kind !== "late") return await this.#result("done", { notes });
    const pending = await this.#pending(patch, end.patch);
    return { ...pending, notes };
  }

  /** Waits for a transition; one that is late is turned back or left, as the options say. */
  async #wentTo(patch: string, wanted: Exclude<Settled["kind"], "late">): Promise<VerbResult> {
    const end = await settled(this.#root, patch, this.#limits());
    if (end.kind === "late") return await this.#late(patch, end.patch, "change");
    return end.kind === wanted ? await this.#result("done") : await this.#failed(patch);
  }

  async #late(name: string, seen: SysfsPatch, verb: "load" | "change"): Promise<VerbResult> {
    if (this.#options.onDeadline === "keep" && this.#options.signal?.aborted !== true)
      return await this.#pending(name, seen);
    const holders = await findHolders(this.#root, seen);
    await writeFlag(this.#root, name, "enabled", seen.enabled ? "0" : "1");
    const timeoutMs = Math.max(this.#limits().timeoutMs, LEAST_WAY_BACK_MS);
    const { watch } = this.#options;
    const back = await settled(this.#root, name, { timeoutMs, watch, isTurnedBack: true });
    if (back.kind === "late") return await this.#pending(name, back.patch);
    // It arrived before it could be turned back.
    if (back.kind === (seen.enabled ? "enabled" : "gone")) return await this.#result("done");
    const left = verb === "load" ? await unloadModule(this.#root, this.#loader, name) : undefined;
    const notes =
      left === undefined || left.kind === "unloaded" ? [] : [`the module ${name} is disabled, and stays in memory`];
    const { name: where } = await this.#result("reversed");
    const problem =
      this.#options.signal?.aborted === true
        ? refusal("INTERRUPTED", "stopped before every task had switched: all is as it was before", where, "")
        : refusal(
            "DEADLINE",
            "not every task could switch in time: all is as it was before",
            where,
            adviceFor(holders, name),
          );
    return await this.#result("reversed", { holders, notes, problems: [problem] });
  }

  async #pending(name: string, seen: SysfsPatch): Promise<VerbResult> {
    const holders = await findHolders(this.#root, seen);
    const what = "not every task has switched, and the transition goes on";
    const hint = `it goes on with suture enable ${name}, back with suture disable ${name}, and is ended by suture force ${name}`;
    return await this.#result("pending", { holders, problems: [refusal("TRANSITION_PENDING", what, name, hint)] });
  }

  /** The modules of patches that are not there any more since a cumulative one has come. */
  async #withoutReplaced(before: readonly SysfsPatch[]): Promise<string[]> {
    const now = new Set((await readPatches(this.#root)).map((patch) => patch.name));
    const notes: string[] = [];
    for (const { name: old } of before.filter((patch) => !now.has(patch.name))) {
      const { kind } = await unloadModule(this.#root, this.#loader, old);
      const became = kind === "unloaded" ? "unloaded" : "disabled, and stays in memory";
      notes.push(`it takes the place of ${old}, which is ${became} now`);
    }
    return notes;
  }

  async #notEnabled(patch: string): Promise<Refusal> {
    if ((await readModule(this.#root, patch))?.isLivepatch !== true) return noSuchPatch(patch);
    const what = `the kernel does not enable ${patch} again: it has been disabled`;
    return refusal("DISABLED_FOR_GOOD", what, "", "load its file again: suture load FILE");
  }

  async #failed(patch: string): Promise<VerbResult> {
    const what = `somebody else has changed ${patch} meanwhile`;
    return await this.#result("failed", { problems: [refusal("PATCH_CHANGED", what, "", "see: suture list")] });
  }

  async #refused(...problems: readonly Refusal[]): Promise<VerbResult> {
    return await this.#result("refused", { problems });
  }

  async #result(outcome: VerbResult["outcome"], more: Partial<VerbResult> = {}): Promise<VerbResult> {
    const name = `Linux ${await releaseOf(this.#root)}`;
    return { name, outcome, problems: [], notes: [], holders: [], ...more };
  }

  #limits(): Limits {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, signal, watch } = this.#options;
    return { timeoutMs, signal, watch };
  }
}

function noSuchPatch(patch: string): Refusal {
  return refusal("NO_SUCH_PATCH", `the kernel has no livepatch ${patch}`, "", "see: suture list");
}

function noTransition(patch: string): Refusal {
  return refusal("NO_TRANSITION", `${patch} is in no transition`, "", "see: suture list");
}

function otherTransition(patch: string): Refusal {
  const what = `the kernel does not change ${patch} now: the transition of another livepatch goes on`;
  return refusal("TRANSITION_IN_PROGRESS", what, "", "see: suture list");
}
