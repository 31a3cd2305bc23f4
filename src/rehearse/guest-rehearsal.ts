import type { LivepatchFile } from "../patch/livepatch-file.ts";
import type { LogLine } from "../targets/kernel/kernel-messages.ts";
import type { SysfsPatch } from "../targets/kernel/sysfs.ts";
import { quoted } from "./guest.ts";
import { type Change, GuestLivepatch, whyTransitionStays } from "./guest-livepatch.ts";
import { GuestMemory } from "./guest-memory.ts";
import { findingsIn } from "./kernel-log.ts";
import { whyNotPatched } from "./livepatch-state.ts";
import type { BootKind, RehearsalFinding, RehearsalStep, Transition } from "./result.ts";
import { GuestLost, type Job, type Vm } from "./vm.ts";

/** A module that the livepatch patches, and what has to be loaded for it. */
export interface TargetModule {
  readonly name: string;
  /** Paths in the guest, in the order of loading; empty where the module is built in. */
  readonly files: readonly string[];
  /** Why it cannot be tried at all: this kernel has no such module. */
  readonly missing?: string | undefined;
}

/** By what it is known later whether the guest has gone on without a new start. */
export interface GuestIdentity {
  /** The kernel's random boot_id. */
  readonly boot: string;
  /** Seconds. */
  readonly uptime: number;
}

/** The steps before the one that failed still count; those after it were not done. */
class StepFailed extends Error {}

/** What is said of a step, as `RehearsalStep` has it. */
type Words = Pick<RehearsalStep, "detail" | "output">;

/** What became of the modules to patch: loaded, or why not. */
type TargetOutcome = { readonly loaded: true } | { readonly loaded: false; readonly why: string };

const FIFTIETHS = 50;
/** What a step may take in the guest beyond what it waits for. */
const GRACE_SECONDS = 30;

/** @returns what is wrong, a sentence each */
export type MemoryCheck = (memory: GuestMemory) => Promise<readonly string[]>;

/** A livepatch that lies in a guest. */
export interface LivepatchInGuest {
  readonly livepatch: LivepatchFile;
  /** Its path in the guest. */
  readonly file: string;
  /** For a transition, and for a script of the user. */
  readonly timeoutSeconds: number;
  /** Told when a step begins. */
  readonly onStep?: ((boot: BootKind, step: string) => void) | undefined;
}

/** One livepatch in one guest: takes steps, and keeps what each of them showed. */
export class GuestRehearsal {
  readonly steps: RehearsalStep[] = [];
  readonly findings: RehearsalFinding[] = [];
  readonly transitions: Transition[] = [];
  readonly targets = new Map<string, TargetOutcome>();
  /** The last state seen while the livepatch was enabled. */
  state: SysfsPatch | undefined;
  lost: { readonly boot: BootKind; readonly step: string; readonly what: string } | undefined;
  /** Lines that the kernel printed for the targets with no livepatch loaded. */
  readonly ordinary = new Set<string>();
  readonly #vm: Vm;
  readonly #boot: BootKind;
  readonly #livepatch: LivepatchFile;
  readonly #file: string;
  readonly #timeoutSeconds: number;
  readonly #onStep: LivepatchInGuest["onStep"];
  #step = "";
  #livepatchSeen = false;

  constructor(vm: Vm, boot: BootKind, { livepatch, file, timeoutSeconds, onStep }: LivepatchInGuest) {
    this.#vm = vm;
    this.#boot = boot;
    this.#livepatch = livepatch;
    this.#file = file;
    this.#timeoutSeconds = timeoutSeconds;
    this.#onStep = onStep;
  }

  /**
   * Takes the steps of `work` up to the first that fails. A guest that is lost
   * is a failed step with its log as findings; other errors are thrown.
   */
  async take(work: () => Promise<void>): Promise<void> {
    const began = performance.now();
    try {
      await work();
    } catch (error) {
      if (error instanceof StepFailed) return;
      if (!(error instanceof GuestLost)) throw error;
      const what = error.message;
      this.lost = { boot: this.#boot, step: this.#step, what };
      this.#record(this.#step, false, (performance.now() - began) / 1000, { detail: what });
      this.#keepFindings(error.log);
    }
  }

  /** Modules that the livepatch patches, by sysfs, and that were not known to be its targets. */
  unknownTargets(known: readonly TargetModule[]): string[] {
    const names = (this.state?.objects ?? []).map(({ name }) => name);
    return names.filter((name) => name !== "vmlinux" && known.every((target) => target.name !== name));
  }

  /** Whether the livepatch is, as far as seen, not in the guest any more. */
  get cleanedUp(): boolean {
    return this.lost === undefined && this.steps.at(-1)?.ok === true;
  }

  /** A command whose success is exit status 0; the step fails with what it printed. */
  async step(name: string, command: string, seconds?: number): Promise<Job> {
    return this.#settle(name, await this.#run(name, command, seconds));
  }

  #settle(name: string, job: Job): Job {
    const why = job.status === 0 ? undefined : explained(job.output.trim(), job.status);
    this.#record(name, why === undefined, job.seconds, { detail: why });
    if (why !== undefined) throw new StepFailed(name);
    return job;
  }

  /** Has a transition go on to its end: where it stays, the step fails with the tasks that hold it up. */
  async #transition(
    name: string,
    direction: Transition["direction"],
    change: (livepatch: GuestLivepatch, looks: number) => Promise<Change>,
  ): Promise<SysfsPatch | undefined> {
    const jobs: Job[] = [];
    const livepatch = this.#inGuest(name, jobs);
    const end = await change(livepatch, this.#timeoutSeconds * FIFTIETHS);
    const why =
      end.kind === "failed"
        ? explained(end.said, end.status)
        : end.kind === "late"
          ? whyTransitionStays(await livepatch.holders(end.patch))
          : (end.kind === "enabled") === (direction === "patching")
            ? undefined
            : `the livepatch is ${end.kind}`;
    this.#record(name, why === undefined, sum(jobs), { detail: why });
    if (why !== undefined) throw new StepFailed(name);
    this.#timeTransition(
      jobs.flatMap(({ log }) => log),
      direction,
    );
    return end.kind === "enabled" ? end.patch : undefined;
  }

  /** @param jobs gets what was done for a step */
  #inGuest(step: string, jobs: Job[]): GuestLivepatch {
    const run = async (command: string): Promise<Job> => {
      const job = await this.#run(step, command, this.#timeoutSeconds);
      jobs.push(job);
      return job;
    };
    return new GuestLivepatch(run, this.#livepatch.name);
  }

  /** Something that was looked at: the step fails with the reason, if there is one. */
  check(name: string, seconds: number, reason: string | undefined): void {
    this.#record(name, reason === undefined, seconds, { detail: reason });
    if (reason !== undefined) throw new StepFailed(name);
  }

  /** Loads the modules to patch, as far as they can be: one that cannot is no failure of the livepatch. */
  async loadTargets(targets: readonly TargetModule[]): Promise<void> {
    for (const target of targets) {
      const name = loadStep(target.name);
      if (target.missing !== undefined) {
        this.targets.set(target.name, { loaded: false, why: target.missing });
        this.#record(name, true, 0, { detail: target.missing });
        continue;
      }
      const job = await this.#vmJob(name, `load ${target.files.map(quoted).join(" ")}`);
      this.#keepFindings(job.status === 0 ? job.log : firstTry(job.log));
      const why = job.status === 0 ? undefined : explained(job.output.trim(), job.status);
      this.targets.set(target.name, why === undefined ? { loaded: true } : { loaded: false, why });
      this.#record(name, true, job.seconds, { detail: why });
      if (!this.#livepatchSeen) for (const { text } of job.log) this.ordinary.add(text);
    }
  }

  async loadLivepatch(name = `load ${this.#livepatch.name}`): Promise<void> {
    this.#livepatchSeen = true;
    this.state = await this.#transition(name, "patching", (livepatch, looks) => livepatch.load(this.#file, looks));
  }

  /** Checks that sysfs shows the livepatch enabled, and every object that is loaded patched. */
  async checkPatched(name: string): Promise<void> {
    const jobs: Job[] = [];
    this.state = await this.#inGuest(name, jobs).look();
    const loaded = [...this.targets].filter(([, each]) => each.loaded).map(([each]) => each);
    this.check(name, sum(jobs), whyNotPatched(this.state, this.#livepatch.metadata?.objects, loaded));
  }

  /** Checks that the guest's memory shows each new function, and what leads to it. */
  async checkMemory(name: string, look: MemoryCheck): Promise<void> {
    const began = performance.now();
    this.#begin(name);
    const wrong = await look(new GuestMemory(this.#vm));
    this.check(name, (performance.now() - began) / 1000, wrong.length === 0 ? undefined : wrong.join("; "));
  }

  async disable(name = `disable ${this.#livepatch.name}`): Promise<void> {
    await this.#transition(name, "unpatching", (livepatch, looks) => livepatch.disable(looks));
  }

  /** Of a livepatch that holds itself in the kernel this is what is right: it is still there. */
  async unload(name = `unload ${this.#livepatch.name}`): Promise<void> {
    const step = this.stays ? `${name}: it stays` : name;
    const livepatch = this.#inGuest(step, []);
    this.#settle(step, await (this.stays ? livepatch.stays() : livepatch.unload()));
  }

  /** Whether addresses of the livepatch may outlive it, so that its module is not to be unloaded. */
  get stays(): boolean {
    return (this.#livepatch.metadata?.stays.length ?? 0) > 0;
  }

  async script(name: string, path: string): Promise<void> {
    const limit = this.#timeoutSeconds;
    const command = `SUTURE_LIVEPATCH=${this.#livepatch.name} limited ${limit * FIFTIETHS} sh ${quoted(path)}`;
    const job = await this.#run(name, command, limit);
    const ended = job.status !== NOT_ENDED;
    const why = job.status === 0 ? undefined : ended ? `exit status ${job.status}` : `it did not end within ${limit} s`;
    this.#record(name, why === undefined, job.seconds, { detail: why, output: job.output.trim() });
    if (why !== undefined) throw new StepFailed(name);
  }

  async startDuring(path: string): Promise<void> {
    await this.step("start the workload", `SUTURE_LIVEPATCH=${this.#livepatch.name} start_during ${quoted(path)}`);
  }

  /** The workload may have ended by itself with status 0, or ends now, by SIGTERM if need be. */
  async stopDuring(): Promise<void> {
    const name = "workload during the patching";
    const job = await this.#run(name, "stop_during");
    const [head = "", ...rest] = job.output.split("\n");
    const [, was, status] = head.split(" ");
    const ended = Number(status);
    const ok = was === "running" ? ended === 0 || ended === 128 + SIGTERM : was === "ended" && ended === 0;
    const why = was === "hung" ? "it did not end within 10 s of SIGTERM" : `exit status ${status}`;
    this.#record(name, ok, job.seconds, { detail: ok ? undefined : why, output: rest.join("\n").trim() });
    if (!ok) throw new StepFailed(name);
  }

  /** Which boot this is, and since when; fails where the kernel is not the one that the livepatch was made for. */
  async identity(name: string): Promise<GuestIdentity> {
    const job = await this.step(name, "identity");
    const values = valuesOf(job.output);
    const wanted = this.#livepatch.metadata?.kernel.buildId;
    if (wanted !== undefined && values.get("notes")?.includes(wanted.toLowerCase()) !== true) {
      this.check(
        name,
        0,
        `${this.#livepatch.name} was made for a kernel with build-id ${wanted}, which this one has not`,
      );
    }
    return { boot: values.get("boot") ?? "", uptime: Number(values.get("uptime")) };
  }

  async #run(name: string, command: string, seconds = 0): Promise<Job> {
    const job = await this.#vmJob(name, command, seconds);
    this.#keepFindings(job.log);
    return job;
  }

  async #vmJob(name: string, command: string, seconds = 0): Promise<Job> {
    this.#begin(name);
    return await this.#vm.run(command, seconds + GRACE_SECONDS);
  }

  #begin(step: string): void {
    this.#step = step;
    this.#onStep?.(this.#boot, step);
  }

  #keepFindings(log: readonly LogLine[]): void {
    if (!this.#livepatchSeen) return;
    const seen = new Set(this.findings.filter(({ step }) => step === this.#step).map(({ line }) => line));
    for (const finding of findingsIn(log, this.#vm.machine.faults, this.ordinary)) {
      // Busybox asks the kernel twice to load a module, so what is wrong with it is said twice.
      if (!seen.has(finding.line)) this.findings.push({ ...finding, boot: this.#boot, step: this.#step });
      seen.add(finding.line);
    }
  }

  #record(name: string, ok: boolean, seconds: number, { detail, output }: Words): void {
    this.steps.push({ boot: this.#boot, name, ok, seconds, detail, output });
  }

  #timeTransition(log: readonly LogLine[], direction: Transition["direction"]): void {
    const at = (what: string): number | undefined =>
      log.find(({ text }) => text === `livepatch: '${this.#livepatch.name}': ${what}`)?.seconds;
    const began = at(`starting ${direction} transition`);
    const ended = at(`${direction} complete`);
    if (began === undefined || ended === undefined) return;
    this.transitions.push({ boot: this.#boot, direction, seconds: Math.round((ended - began) * 1e6) / 1e6 });
  }
}

const SIGTERM = 15;
/** What the guest's `limited` gives for a command that it had to end. */
const NOT_ENDED = 124;

/** The name of the step that loads a module to patch. */
export function loadStep(name: string): string {
  return `load ${name}`;
}

/**
 * The log up to where the kernel has let go of a module whose init failed.
 * Busybox then tries once more, which kernels before 6.3 answer with a
 * complaint about relocations that the first try left behind.
 */
function firstTry(log: readonly LogLine[]): readonly LogLine[] {
  const end = log.findIndex(({ text }) => /^livepatch: reverting patch '\w+' on unloading module/.test(text));
  return end < 0 ? log : log.slice(0, end);
}

function sum(jobs: readonly Job[]): number {
  return jobs.reduce((seconds, job) => seconds + job.seconds, 0);
}

function valuesOf(output: string): Map<string, string> {
  return new Map(
    output.split("\n").map((line) => {
      const space = line.indexOf(" ");
      return [line.slice(0, space), line.slice(space + 1)] as const;
    }),
  );
}

function explained(output: string, status: number): string {
  return output === "" ? `exit status ${status}` : output.replaceAll(/\s*\n\s*/g, "; ");
}
