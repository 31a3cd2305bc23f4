/** Watches a machine for a while after a livepatch was loaded, against the moment before. */
import { setTimeout as wait } from "node:timers/promises";
import { archOfHost } from "../../arch/registry.ts";
import { findingsIn } from "../../rehearse/kernel-log.ts";
import { KernelMessages, type LogLine } from "../../targets/kernel/kernel-messages.ts";
import { FAULTS, type Harm } from "./harm.ts";
import { unhealthy } from "./health.ts";
import { endedOf, type PatchedProcess, type ProgramRun, programRun } from "./patched-programs.ts";
import { type Pressure, pressure } from "./pressure.ts";
import { type Sleeper, sleepers, stillAsleep } from "./stuck-tasks.ts";

/** What a machine is watched by. */
export interface WatchOptions {
  readonly seconds: number;
  /** For the shell: it exits with 0 as long as the machine does its work. */
  readonly health?: string | undefined;
  /** The root of the file system; default `/`. */
  readonly root?: string | undefined;
  /** Aborted: the watch ends, and what was not seen until then is not harm. */
  readonly signal?: AbortSignal | undefined;
  /** Told before every look, with the seconds that are left. */
  readonly onLook?: ((secondsLeft: number) => void) | undefined;
  /** Milliseconds from one look to the next; default 500. */
  readonly lookMs?: number | undefined;
}

const LOOK_MS = 500;
/** All tasks are looked at less often: there may be many. */
const TASK_LOOKS = 4;
/** One that is in the same sleep in so many of these, the first one after the load, does not wake. */
const STUCK_LOOKS = 6;
/** Percent that are more than a machine has by itself from one moment to the next. */
const MORE_PRESSURE = 50;
/** Looks at each of which there is so much more of it. */
const PRESSED_LOOKS = 10;
const HEALTH_LOOKS = 10;
const HEALTH_SECONDS = 10;
const MOST_LINES = 8;

/** One watch. It begins before the load, so that there is a moment before. */
export class Watch implements Disposable {
  readonly #options: WatchOptions;
  readonly #root: string;
  readonly #messages: KernelMessages | undefined;
  readonly #asleepBefore: readonly Sleeper[];
  readonly #pressureBefore: Pressure;
  readonly #log: LogLine[] = [];
  /** What slept in each look at the tasks since the load, the oldest first. */
  readonly #sleeps: (readonly Sleeper[])[] = [];
  #looks = 0;
  #pressed = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#root = options.root ?? "/";
    this.#messages = KernelMessages.open(this.#root);
    this.#asleepBefore = sleepers(this.#root);
    this.#pressureBefore = pressure(this.#root);
  }

  /** What is watched and cannot be seen here, a sentence each. */
  get blind(): readonly string[] {
    return this.#messages === undefined ? ["the kernel's log cannot be read, and is not watched"] : [];
  }

  /** Why the health command says no before anything was loaded. */
  async unhealthyBefore(): Promise<Harm | undefined> {
    return await this.#health();
  }

  /**
   * Looks until time is over. @param patched the processes that have got the livepatch
   * @returns the first harm; undefined where there was none, as far as it was looked
   */
  async harm(patched: readonly PatchedProcess[]): Promise<Harm | undefined> {
    const { seconds, signal, onLook } = this.#options;
    const programs: ProgramRun[] = [];
    for (const { pid, name } of patched) {
      const program = programRun(pid, this.#root);
      if (program === undefined) return endedHarm({ pid, name });
      // One that comes and goes all the time may go now.
      if (program.ageSeconds > seconds) programs.push(program);
    }
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const left = end - performance.now();
      const isLast = left <= 0;
      onLook?.(Math.max(0, Math.ceil(left / 1000)));
      const asks = isLast || this.#looks % HEALTH_LOOKS === 0;
      const seen = this.#look(programs) ?? (asks ? await this.#health() : undefined);
      if (seen !== undefined || isLast || signal?.aborted === true) return seen;
      await wait(Math.min(this.#options.lookMs ?? LOOK_MS, left), undefined, { signal }).catch(() => undefined);
    }
  }

  [Symbol.dispose](): void {
    this.#messages?.[Symbol.dispose]();
  }

  #look(programs: readonly ProgramRun[]): Harm | undefined {
    const looksAtTasks = this.#looks++ % TASK_LOOKS === 0;
    return this.#kernelLog() ?? this.#ended(programs) ?? (looksAtTasks ? this.#stuck() : undefined) ?? this.#pressure();
  }

  #kernelLog(): Harm | undefined {
    this.#log.push(...(this.#messages?.take() ?? []));
    const findings = findingsIn(this.#log, archOfHost().vm?.faults ?? NO_FAULTS);
    const [fault] = findings.filter(({ kind }) => FAULTS.has(kind));
    if (fault === undefined) return undefined;
    const what = `the kernel has printed: ${fault.line}`;
    return { kind: "kernel-log", what, evidence: fault.context.slice(0, MOST_LINES) };
  }

  #ended(programs: readonly ProgramRun[]): Harm | undefined {
    const [ended] = endedOf(programs, this.#root);
    return ended && endedHarm(ended);
  }

  #stuck(): Harm | undefined {
    const now = sleepers(this.#root);
    this.#sleeps.push(now);
    if (this.#sleeps.length < STUCK_LOOKS) return undefined;
    const always = this.#sleeps.reduceRight((asleep, look) => stillAsleep(look, asleep), now);
    this.#sleeps.shift();
    const before = new Set(stillAsleep(this.#asleepBefore, now).map(({ tid }) => tid));
    const [stuck] = always.filter(({ tid }) => !before.has(tid));
    if (stuck === undefined) return undefined;
    const where = stuck.where === "" ? "" : `, in ${stuck.where}`;
    const seconds = ((STUCK_LOOKS - 1) * TASK_LOOKS * LOOK_MS) / 1000;
    const what = `${stuck.name} (${stuck.tid}) has not woken from uninterruptible sleep for ${seconds} s${where}`;
    return { kind: "stuck", what, evidence: [] };
  }

  #pressure(): Harm | undefined {
    const now = pressure(this.#root);
    const [risen] = [...now].filter(([name, value]) => value >= (this.#pressureBefore.get(name) ?? 0) + MORE_PRESSURE);
    this.#pressed = risen === undefined ? 0 : this.#pressed + 1;
    if (risen === undefined || this.#pressed < PRESSED_LOOKS) return undefined;
    const [name, value] = risen;
    const before = this.#pressureBefore.get(name) ?? 0;
    const what = `all tasks wait for ${name} for ${value} % of the time, and it was ${before} % before`;
    return { kind: "pressure", what, evidence: [] };
  }

  async #health(): Promise<Harm | undefined> {
    const { health, signal } = this.#options;
    if (health === undefined || signal?.aborted === true) return undefined;
    const said = await unhealthy(health, HEALTH_SECONDS, signal).catch((error: unknown) => {
      if (signal?.aborted === true) return undefined;
      throw error;
    });
    if (said === undefined) return undefined;
    return { kind: "health", what: `the health command says no: ${said.why}`, evidence: said.output };
  }
}

function endedHarm({ pid, name }: PatchedProcess): Harm {
  return { kind: "ended", what: `${name} (${pid}), which had the livepatch, has ended`, evidence: [] };
}

const NO_FAULTS = { oops: /(?!)/, context: /(?!)/ };
