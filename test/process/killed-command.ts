/** A command that is killed while it patches, and what a fresh one makes of what it left. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Consistency } from "../../src/core/consistency.ts";
import { Core } from "../../src/core/core.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import { ProcessMachine } from "../../src/process/machine/process-machine.ts";
import type { RunningVersions } from "./hooked-program.ts";
import { versionsPatch } from "./versions-patch.ts";

/** If all others have made so many calls, a thread that made none stands still. */
const MANY_CALLS = 1_000_000;

/** A command that loads and unloads, killed after a while. */
export async function killedToggling(run: RunningVersions, consistency: Consistency, afterMs: number): Promise<void> {
  const command = await startToggling(run, consistency);
  await setTimeout(afterMs);
  command.kill();
  await command.ended;
}

export interface Toggling {
  kill(): void;
  /** What it has said of an error so far. */
  said(): string;
  /** When it has ended, what it has said of an error. */
  readonly ended: Promise<string>;
}

/** A command that loads and unloads again and again, once it has begun. */
export async function startToggling(run: RunningVersions, consistency: Consistency): Promise<Toggling> {
  const script = join(import.meta.dirname, "toggle-forever.ts");
  const args = [script, String(run.pid), consistency, JSON.stringify(versionsPatch(run))];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (data) => {
    said += data;
  });
  const ended = new Promise<string>((resolve) => child.on("close", () => resolve(said)));
  await new Promise((resolve, reject) => {
    child.stdout.once("data", resolve);
    child.once("close", () => reject(new Error(`the command ended by itself: ${said}`)));
  });
  return { kill: () => child.kill("SIGKILL"), said: () => said, ended };
}

/** When each thread has made calls. Throws where the program has ended, or some threads make none while others make many. */
export async function allThreadsGoOn(run: RunningVersions): Promise<void> {
  const before = run.callsOfThreads();
  for (;;) {
    const made = run.callsOfThreads().map((calls, thread) => calls - (before[thread] as number));
    const still = made.flatMap((calls, thread) => (calls > 0 ? [] : [thread]));
    if (still.length === 0) return;
    if (run.exit !== undefined) throw new Error(`the program has ended: ${run.exit}`);
    const least = Math.min(...made.filter((calls) => calls > 0));
    if (made.length > still.length && least > MANY_CALLS) throw new Error(`threads do not go on: ${still}`);
    await setTimeout(5);
  }
}

/** What a fresh command does with what it finds: goes on to where the transition led, or back; then takes all out. Tells what it found. */
export async function cleanedUp({ pid }: { readonly pid: number }, goOn: boolean): Promise<string> {
  using machine = ProcessMachine.attach(pid);
  const core = Core.open(machine);
  const found = foundState(machine, core);
  if (core.transition !== undefined) {
    const outcome = await (goOn ? core.resume({ consistency: "lazy" }) : core.reverse({ consistency: "lazy" }));
    mustBeDone(outcome);
  }
  for (const { name } of core.patches) {
    if (core.record.layers.some(({ patch }) => patch === name)) {
      mustBeDone(await core.disable(name, { consistency: "hybrid" }));
    }
    mustBeDone(core.unload(name));
  }
  const obstacle = machine.dropControl();
  if (obstacle !== undefined) throw new Error(obstacle.why);
  return found;
}

function foundState({ hasControl }: ProcessMachine, { transition, patches }: Core): string {
  if (transition !== undefined) return `${transition.kind}, ${transition.phase}`;
  if (patches.length > 0) return "loaded";
  return hasControl ? "unloaded" : "nothing";
}

function mustBeDone(outcome: Outcome): void {
  if (outcome.kind !== "done") throw new Error(`a transition ended ${outcome.kind}`);
}
