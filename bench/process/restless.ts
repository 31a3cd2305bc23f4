/**
 * Things happen to a program in the middle of being patched, at random moments: it
 * gets signals, is stopped by SIGSTOP, forks, executes another program, exits; and
 * the command that patches it is killed a moment later. Each time the program has to
 * be right, and a fresh command has to find its true state and undo it.
 *
 *   node bench/process/restless.ts [--events N]
 */
import { parseArgs } from "node:util";
import { VersionsProgram } from "../../test/process/hooked-program.ts";
import { disturbed, EVENTS } from "../../test/process/restless.ts";
import { writeResults } from "./write-results.ts";

const MODELS = ["stop", "lazy", "hybrid"] as const;
const LONGEST_MS = 150;

const { values } = parseArgs({ options: { events: { type: "string", default: "1000" } } });
const each = Math.ceil(Number(values.events) / MODELS.length / EVENTS.length);
using program = new VersionsProgram();
/** What was found in the program afterwards, by what had happened. */
const found: { [event: string]: { [state: string]: number } } = {};
for (const event of EVENTS) {
  const states: { [state: string]: number } = {};
  for (const model of MODELS) {
    for (let time = 0; time < each; time++) {
      const state = await disturbed(program, model, event, [Math.random() * LONGEST_MS, Math.random() * LONGEST_MS]);
      states[state] = (states[state] ?? 0) + 1;
    }
  }
  found[event] = states;
  process.stderr.write(`${event}: ${JSON.stringify(states)}\n`);
}
writeResults("restless", { events: each * MODELS.length * EVENTS.length, found });
