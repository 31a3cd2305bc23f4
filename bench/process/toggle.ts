/**
 * Applies and reverts a livepatch that is loaded and enabled in a process, again
 * and again, until it was done so often or standard input ends, with so many milliseconds
 * between, as one command that stays attached. First a line when it is warm, at the end
 * one of JSON: how often, and what each stop cost. A program of its own, since Node
 * would take the stops of a child for its end.
 *
 *   node bench/process/toggle.ts PID NAME TIMES PAUSE
 */
import { setTimeout } from "node:timers/promises";
import type { Outcome } from "../../src/core/outcome.ts";
import { OpenProcess } from "../../src/process/machine/open-process.ts";
import { ProcessView } from "../../src/process/maps/process-view.ts";
import { ImageStore } from "../../src/process/stack/images.ts";

export interface Toggled {
  readonly done: number;
  readonly milliseconds: number;
  readonly stopsUs: readonly number[];
}

const WARM = 20;

const [pid = "", name = "", times = "", pause = ""] = process.argv.slice(2);

using view = new ProcessView(Number(pid));
using open = new OpenProcess(view, new ImageStore());
const options = { consistency: "hybrid", timeoutMs: 10_000 } as const;
const stopsUs: number[] = [];
let wanted = true;
process.stdin.on("end", () => {
  wanted = false;
});
process.stdin.resume();
for (let done = 0; done < WARM; done++) await toggle();
stopsUs.length = 0;
process.stdout.write("warm\n");
const began = performance.now();
let done = 0;
for (; done < Number(times) && wanted; done++) await toggle();
const toggled: Toggled = { done, milliseconds: performance.now() - began, stopsUs };
process.stdout.write(`${JSON.stringify(toggled)}\n`);
process.stdin.destroy();

async function toggle(): Promise<void> {
  note(await open.core.disable(name, options));
  await setTimeout(Number(pause));
  note(await open.core.enable(name, options));
  await setTimeout(Number(pause));
}

function note(outcome: Outcome): void {
  if (outcome.kind !== "done") throw new Error(`a transition ended ${outcome.kind}`);
  stopsUs.push(...outcome.cost.stops.map(({ stoppedUs }) => stoppedUs));
}
