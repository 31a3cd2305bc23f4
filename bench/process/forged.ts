/**
 * Root's list, disable and unload of a program that forges what is remembered in it: so many runs in one
 * process of ours. None may take over a second of a processor, none may end with INTERNAL, and
 * our memory may not grow beyond 256 MB: what a run takes, and what stays of all before it.
 *
 *   node bench/process/forged.ts [--runs N] [--seed N]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { readProgramLivepatch } from "../../src/process/loader/livepatch.ts";
import { livepatch, program } from "../../test/fixtures/patched-program.ts";
import { ForgedTarget, randomOf, type Verb } from "../../test/process/forged.ts";
import { SERVER_SOURCE } from "../../test/process/server.ts";
import { machine } from "../machine.ts";

// What V8 has not collected yet is no one's: whether it grows says nothing of what stays.
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const RESULTS = new URL("../results/forged.json", import.meta.url);
const MOST_MS = 1000;
const MOST_BYTES = 256 << 20;
/** Of a hundred runs, so many may change something: the program is started anew for each. */
const CHANGING = 3;
/** So many runs leave their garbage together. */
const COLLECTED = 20;

const { values } = parseArgs({
  options: { runs: { type: "string", default: "100000" }, seed: { type: "string", default: "1" } },
});
const runs = Number(values.runs);
const random = randomOf(Number(values.seed));
await using directory = await temporaryDirectory();
const served = program({ directory: directory.path, name: "served", source: SERVER_SOURCE });
const path = livepatch(served, SERVER_SOURCE.replace("base + scale(n);", "base + scale(n) + 1000;"));
await using target = new ForgedTarget(served.path, readProgramLivepatch(readFileSync(path), path));
const before = process.memoryUsage().rss;
const codes: Record<Verb, { [code: string]: number }> = { list: {}, disable: {}, unload: {} };
let longest = 0;
let most = before;
for (let run = 0; run < runs; run++) {
  const verb: Verb = run % 100 >= CHANGING ? "list" : random() < 0.5 ? "disable" : "unload";
  const { code, milliseconds } = await target.run(verb, random);
  const seen = codes[verb];
  seen[code] = (seen[code] ?? 0) + 1;
  longest = Math.max(longest, milliseconds);
  most = Math.max(most, process.memoryUsage().rss);
  if (milliseconds > MOST_MS) throw new Error(`run ${run}, ${verb}, ${code}: ${milliseconds.toFixed(0)} ms`);
  if (most - before > MOST_BYTES) throw new Error(`run ${run}, ${verb}, ${code}: ${most - before} bytes more`);
  if (run % COLLECTED === 0) collect();
  if (run % 5000 === 4999)
    process.stderr.write(`${run + 1} runs, ${target.starts} starts, ${longest.toFixed(0)} ms at most\n`);
}
const results = {
  ...machine(execFileSync("gcc", ["-dumpfullversion"], { encoding: "utf8" }).trim()),
  runs,
  seed: Number(values.seed),
  longestMs: Math.round(longest),
  grownMb: Math.round((most - before) / 2 ** 20),
  codes,
};
mkdirSync(new URL(".", RESULTS), { recursive: true });
writeFileSync(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
