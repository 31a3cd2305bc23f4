/** A program to which something happens while it is patched by a command that is then killed. */
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { Consistency } from "../../src/core/consistency.ts";
import { ProcessMachine } from "../../src/process/machine/process-machine.ts";
import type { RunningVersions, VersionsProgram } from "./hooked-program.ts";
import { allThreadsGoOn, cleanedUp, startToggling } from "./killed-command.ts";
import { PATCHED } from "./versions-patch.ts";

/** What happens: handled signals, SIGSTOP, fork, exec of the same program, exit. */
export const EVENTS = ["signals", "stop", "fork", "exec", "exit"] as const;
export type Event = (typeof EVENTS)[number];

const THREADS = 12;
const SIGNALS_AT_ONCE = 20;
/** So many calls are made by no program that is stopped. */
const MANY_CALLS = 1_000_000;

/**
 * Starts the program and a command that patches it again and again, lets the event
 * happen after some time, kills the command after some more, and throws where the
 * program is not what it has to be then. Gives what was found in it.
 */
export async function disturbed(
  program: VersionsProgram,
  consistency: Consistency,
  event: Event,
  [beforeMs, afterMs]: readonly [number, number],
): Promise<string> {
  using run = program.run({ threads: THREADS, rounds: 40, resting: consistency === "stop" ? THREADS : THREADS - 2 });
  const original = originalBytes(run);
  const command = await startToggling(run, consistency);
  await setTimeout(beforeMs);
  const child = happens(run, event);
  await setTimeout(afterMs);
  if (event === "exec" || event === "exit") {
    // Where it has used many uprobes, it takes the kernel seconds to end it: what it says is waited for.
    let hasEnded = false;
    void command.ended.then(() => {
      hasEnded = true;
    });
    while (!hasEnded && !command.said().includes("TARGET_GONE")) await setTimeout(5);
    if (!command.said().includes("TARGET_GONE"))
      throw new Error(`the program is gone, and the command does not say so: ${command.said()}`);
  } else {
    command.kill();
    await command.ended;
  }
  if (event === "exit") {
    while (run.exit === undefined) await setTimeout(5);
    if (run.exit !== 0) throw new Error(`the program did not exit as it wished: ${run.exit}`);
    return "ended";
  }
  if (event === "stop") {
    for (const { calls } = run.counts(); stateOf(run.pid) !== "T"; await setTimeout(5))
      if (run.counts().calls > calls + MANY_CALLS)
        throw new Error(`the program was stopped, and is ${stateOf(run.pid)} afterwards`);
    process.kill(run.pid, "SIGCONT");
  }
  await allThreadsGoOn(run);
  if (event === "exec") return notPatched(run);
  if (child !== undefined) await childIsClean(child);
  const found = await cleanedUp(run, beforeMs > afterMs);
  if (originalBytes(run) !== original) throw new Error("bytes differ");
  if (run.counts().mixed !== 0) throw new Error("a call was of another universe");
  return found;
}

interface Child {
  readonly pid: number;
  counts(): { readonly calls: number; readonly mixed: number };
}

function happens(run: RunningVersions, event: Event): Child | undefined {
  switch (event) {
    case "signals":
      for (let count = 0; count < SIGNALS_AT_ONCE; count++) process.kill(run.pid, "SIGWINCH");
      return undefined;
    case "stop":
      process.kill(run.pid, "SIGSTOP");
      return undefined;
    case "fork":
      return run.fork();
    case "exec":
      process.kill(run.pid, "SIGUSR2");
      return undefined;
    case "exit":
      process.kill(run.pid, "SIGHUP");
      return undefined;
  }
}

/** A fork has what its parent had at that moment, makes right calls, and is cleaned for itself. */
async function childIsClean(child: Child): Promise<void> {
  const { calls } = child.counts();
  while (child.counts().calls <= calls) {
    if (stateOf(child.pid) === "Z") throw new Error("the forked child has ended");
    await setTimeout(5);
  }
  await cleanedUp(child, true);
  if (child.counts().mixed !== 0) throw new Error("a call of the forked child was of another universe");
}

function notPatched(run: RunningVersions): string {
  using machine = ProcessMachine.attach(run.pid);
  if (machine.hasControl) throw new Error("a program that was executed anew is patched");
  return "another program";
}

function originalBytes(run: RunningVersions): string {
  return PATCHED.map((name) => run.bytes(name).toString("hex")).join();
}

function stateOf(pid: number): string | undefined {
  return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1];
}
