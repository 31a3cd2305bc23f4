/**
 * A program of 64 threads, patched and reverted thousands of times by each of the
 * three models, every call checked by the program itself against the universe of
 * its task (test/process/hook-programs/versions.c).
 *
 *   node bench/process/models.ts [--transitions N] [--calls N]
 *
 * `--transitions`: each way, of each model. `--calls`: all three run on until so
 * many have been checked. Ends with 1 where a call was wrong, a thread was left behind
 * or bytes differ.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Consistency } from "../../src/core/consistency.ts";
import { Core } from "../../src/core/core.ts";
import type { TransitionCost } from "../../src/core/cost.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { ProcessMachine } from "../../src/process/machine/process-machine.ts";
import { type RunningVersions, VersionsProgram } from "../../test/process/hooked-program.ts";
import { PATCHED, versionsPatch } from "../../test/process/versions-patch.ts";
import { machine as benchMachine } from "../machine.ts";

const THREADS = 64;
/** Calls of f and g in each call of h. */
const ROUNDS = 100;
/** Threads that rest a millisecond between calls of h; the others never do, and `stop` would have to be lucky with them. */
const RESTING: { readonly [Name in Consistency]: number } = { stop: 64, lazy: 60, hybrid: 60 };
const TIMEOUT_MS = 60_000;
const RESULTS = new URL("../results/models.json", import.meta.url);

interface Spread {
  readonly least: number;
  readonly median: number;
  readonly p99: number;
  readonly most: number;
}

interface ModelResult {
  /** Each way. */
  readonly transitions: number;
  /** Transitions that were given up at their deadline, and made again. */
  readonly reversed: number;
  readonly calls: number;
  readonly mixed: number;
  /** Milliseconds of a transition. */
  readonly transitionMs: Spread;
  /** Microseconds of a stop of all threads. */
  readonly stopUs: Spread;
  /** Microseconds that a thread stood still by itself. */
  readonly taskUs: Spread | undefined;
}

class Model {
  readonly #times: number[] = [];
  readonly #stops: number[] = [];
  readonly #tasks: number[] = [];
  #reversed = 0;

  async run(
    program: VersionsProgram,
    consistency: Consistency,
    transitions: number,
    calls: number,
  ): Promise<ModelResult> {
    using run = program.run({ threads: THREADS, rounds: ROUNDS, resting: RESTING[consistency] });
    const original = PATCHED.map((name) => run.bytes(name));
    const patch = versionsPatch(run);
    {
      using machine = ProcessMachine.attach(run.pid);
      const core = Core.open(machine);
      const options = { consistency, timeoutMs: TIMEOUT_MS };
      await this.#until(() => core.load(patch, options));
      await this.#until(() => core.disable(patch.name, options));
      for (let done = 1; done < transitions || run.counts().calls < calls; done++) {
        await this.#until(() => core.enable(patch.name, options));
        await this.#until(() => core.disable(patch.name, options));
        if (run.exit !== undefined) throw new Error(`the program ended: ${run.exit}`);
        if (done % 500 === 0) process.stderr.write(`${consistency}: ${done} each way, ${run.counts().calls} calls\n`);
      }
      core.unload(patch.name);
      if (machine.dropControl() !== undefined) throw new Error("the control mapping could not be dropped");
    }
    if (PATCHED.some((name, index) => !run.bytes(name).equals(original[index] as Buffer)))
      throw new Error("bytes differ");
    await everyThreadGoesOn(run);
    const counts = run.counts();
    if (counts.mixed !== 0) throw new Error(`${counts.mixed} calls were of another universe`);
    return {
      transitions: (this.#times.length - this.#reversed) / 2,
      reversed: this.#reversed,
      calls: counts.calls,
      mixed: counts.mixed,
      transitionMs: spreadOf(this.#times),
      stopUs: spreadOf(this.#stops),
      taskUs: this.#tasks.length === 0 ? undefined : spreadOf(this.#tasks),
    };
  }

  async #until(wish: () => Promise<Outcome>): Promise<void> {
    for (;;) {
      const start = performance.now();
      const outcome = await wish();
      if (outcome.kind === "refused") throw new Error(outcome.refusal.what);
      this.#times.push(performance.now() - start);
      this.#note(outcome.cost);
      if (outcome.kind === "done") return;
      if (outcome.kind === "pending") throw new Error("a transition stayed on its way");
      this.#reversed++;
    }
  }

  #note({ stops, tasks }: TransitionCost): void {
    for (const { stoppedUs } of stops) this.#stops.push(stoppedUs);
    for (const { stops: times, stoppedUs } of tasks.values()) this.#tasks.push(stoppedUs / times);
  }
}

/** Throws where a thread makes no calls any more. */
async function everyThreadGoesOn(run: RunningVersions): Promise<void> {
  const before = run.callsOfThreads();
  for (let tries = 0; tries < 500; tries++) {
    await setTimeout(20);
    if (run.callsOfThreads().every((calls, thread) => calls > (before[thread] as number))) return;
  }
  throw new Error("a thread was left behind: it makes no calls");
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0) * 1000) / 1000;
  return { least: at(0), median: at(0.5), p99: at(0.99), most: at(1) };
}

const { values } = parseArgs({
  options: {
    transitions: { type: "string", default: "10000" },
    calls: { type: "string", default: "1000000000" },
  },
});
using program = new VersionsProgram();
const models: { [name: string]: ModelResult } = {};
for (const consistency of ["stop", "lazy", "hybrid"] as const) {
  const [transitions, calls] = [Number(values.transitions), Number(values.calls) / 3];
  models[consistency] = await new Model().run(program, consistency, transitions, calls);
}
const results = {
  ...benchMachine(execFileSync("gcc", ["-dumpfullversion"], { encoding: "utf8" }).trim()),
  load: loadavg()[0],
  threads: THREADS,
  resting: RESTING,
  transitionsEachWay: Object.values(models).reduce((sum, { transitions }) => sum + transitions, 0),
  calls: Object.values(models).reduce((sum, { calls }) => sum + calls, 0),
  mixed: 0,
  models,
};
mkdirSync(new URL(".", RESULTS), { recursive: true });
writeFileSync(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
