/**
 * Kills the patching command at a random moment, again and again: while it applies
 * and reverts by each of the three models. Each time the program has to go on, and a fresh command
 * has to find the true state, to finish or revert what was on its way, and to leave the original's bytes.
 *
 *   node bench/process/kills.ts [--kills N]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { VersionsProgram } from "../../test/process/hooked-program.ts";
import { allThreadsGoOn, cleanedUp, killedToggling } from "../../test/process/killed-command.ts";
import { PATCHED } from "../../test/process/versions-patch.ts";
import { machine } from "../machine.ts";

const MODELS = ["stop", "lazy", "hybrid"] as const;
const THREADS = 12;
/** Threads that rest between calls; with `stop` all of them. */
const RESTING = 10;
const LONGEST_MS = 150;
const RESULTS = new URL("../results/kills.json", import.meta.url);

const { values } = parseArgs({ options: { kills: { type: "string", default: "1000" } } });
const each = Math.ceil(Number(values.kills) / MODELS.length);
using program = new VersionsProgram();
/** What the killed commands left behind, by model. */
const left: { [model: string]: { [state: string]: number } } = {};
for (const model of MODELS) {
  using run = program.run({ threads: THREADS, rounds: 40, resting: model === "stop" ? THREADS : RESTING });
  const original = PATCHED.map((name) => run.bytes(name).toString("hex"));
  const states: { [state: string]: number } = {};
  for (let kill = 0; kill < each; kill++) {
    await killedToggling(run, model, Math.random() * LONGEST_MS);
    await allThreadsGoOn(run);
    const state = await cleanedUp(run, kill % 2 === 0);
    states[state] = (states[state] ?? 0) + 1;
    if (PATCHED.some((name, index) => run.bytes(name).toString("hex") !== original[index]))
      throw new Error("bytes differ");
    if (run.counts().mixed !== 0) throw new Error("a call was of another universe");
    if (kill % 50 === 49) process.stderr.write(`${model}: killed ${kill + 1} times, ${JSON.stringify(states)}\n`);
  }
  left[model] = states;
}
const results = {
  ...machine(execFileSync("gcc", ["-dumpfullversion"], { encoding: "utf8" }).trim()),
  threads: THREADS,
  kills: each * MODELS.length,
  targetsLost: 0,
  mixed: 0,
  left,
};
mkdirSync(new URL(".", RESULTS), { recursive: true });
writeFileSync(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
