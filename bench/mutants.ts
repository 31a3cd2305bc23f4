/**
 * Source diffs made by machine: each is built, and what is built is audited and
 * tried in a guest.
 *
 *   node bench/mutants.ts [--count N] [--seed S] [--kernel RELEASE] [--jobs N] [--machines N] [--no-vm] [--keep] [--resume] [--only ID,...]
 *
 * N of them change code; what does not is made as well, and is looked at by the plain comparer alone.
 * `--resume` goes on where a run of the same seed has ended. `--only` makes these of the seed again and says all of them;
 * with `--resume` they take the place of what was recorded of them. Exit code 1 where anything is unaccounted for or unsafe.
 */
import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Cache } from "../src/lib/cache.ts";
import { progressTo } from "../src/lib/progress.ts";
import { openKernel } from "../src/subject/kernel/open-kernel.ts";
import { livepatchPath, type Mutant, type Place, tryMutant } from "./mutants/mutant.ts";
import { places } from "./mutants/pick.ts";
import { rehearseMutants } from "./mutants/rehearse.ts";
import { mutantSummary } from "./mutants/summary.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "50" },
    seed: { type: "string" },
    kernel: { type: "string", default: "6.1.0-57-cloud-amd64" },
    jobs: { type: "string", default: "1" },
    machines: { type: "string", default: "1" },
    only: { type: "string" },
    keep: { type: "boolean", default: false },
    resume: { type: "boolean", default: false },
    "no-vm": { type: "boolean", default: false },
    results: { type: "string", default: fileURLToPath(new URL("results", import.meta.url)) },
  },
});
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const count = Number(values.count);
const only = values.only?.split(",");
const say = (text: string): void => void process.stdout.write(`${text}\n`);

say(`seed ${seed}`);
const cache = new Cache();
const kernel = await openKernel(
  { kind: "release", release: values.kernel },
  { cache, progress: progressTo(process.stderr) },
);
const directory = join(cache.kind("bench"), `mutants-${seed}`);
const options = { release: kernel.release, tree: kernel.source, directory, cache };
const record = join(directory, "all.jsonl");
const all: Mutant[] =
  values.resume && existsSync(record) ? recorded().filter(({ id }) => only?.includes(id) !== true) : [];
const known = new Set(all.map(({ id }) => id));
/** Those that were begun in this run. */
const taken = new Set<string>();
/** Those of a guest's next boot. */
let waiting = all.filter(
  ({ id, runs, guest }) => runs && guest === undefined && existsSync(livepatchPath(directory, id)),
);
let boots = 0;
let rehearsing: Promise<void> | undefined;
const PER_BOOT = 50;
const commit = execFileSync("git", ["rev-parse", "--short=10", "HEAD"], {
  cwd: import.meta.dirname,
  encoding: "utf8",
}).trim();

const source = places(kernel, seed, cache);
await Promise.all(Array.from({ length: Number(values.jobs) }, work));
await rehearsing;
if (!values["no-vm"]) await rehearse();
write();
const summary = mutantSummary(kernel.release, seed, all);
say(JSON.stringify(summary, undefined, 2));
process.exitCode = summary.total.unaccounted + summary.total.unsafe + summary.crashed > 0 ? 1 : 0;

async function work(): Promise<void> {
  for (;;) {
    const place = await nextPlace();
    if (place === undefined) return;
    const mutant = { ...(await tryMutant(place, options)), commit };
    all.push(mutant);
    said(mutant);
    if (mutant.outcome === "built" && mutant.runs) waiting.push(mutant);
    else if (!values.keep) rmSync(livepatchPath(directory, mutant.id), { force: true });
    write();
    if (waiting.length >= PER_BOOT && !values["no-vm"]) {
      // The next are made meanwhile: a guest waits more than it works.
      await rehearsing;
      rehearsing = rehearse();
    }
  }
}

async function nextPlace(): Promise<Place | undefined> {
  for (;;) {
    if (only?.every((id) => taken.has(id)) === true) return undefined;
    if (only === undefined && all.filter(isCounted).length >= count) return undefined;
    const { value } = await source.next();
    if (only === undefined ? known.has(value.id) : !only.includes(value.id)) continue;
    taken.add(value.id);
    return value;
  }
}

/** What is no C, and what changes no code, is made again: the one is no diff, the other no livepatch. */
function isCounted({ outcome }: Mutant): boolean {
  return outcome !== "does-not-compile" && outcome !== "no-change";
}

function said({ id, kind, file, what, outcome, codes, said: words, findings, seconds }: Mutant): void {
  say(`${all.length} ${id} ${kind}: ${file}: ${what}: ${outcome} ${codes.join(" ")} ${seconds} s`);
  if (outcome === "refused" || outcome === "crashed" || only !== undefined) say(`    ${words.slice(0, 600)}`);
  for (const finding of findings) say(`    ${finding.kind}: ${finding.what}`);
}

async function rehearse(): Promise<void> {
  const batch = waiting;
  waiting = [];
  if (batch.length === 0) return;
  write();
  const logs = join(directory, `logs-${boots++}`);
  await rehearseMutants(kernel, batch, directory, logs, Number(values.machines), (id, guest) => {
    const at = all.findIndex((each) => each.id === id);
    all[at] = { ...(all[at] as Mutant), guest };
    if (guest.kind !== "fine") say(`guest ${id}: ${guest.kind}: ${guest.wrong.join("; ").slice(0, 600)}`);
    if (!values.keep && guest.kind === "fine") rmSync(livepatchPath(directory, id), { force: true });
  });
}

function write(): void {
  const results = { ...mutantSummary(kernel.release, seed, all), refused: refusedOnes() };
  if (only !== undefined && !values.resume) return;
  writeFileSync(join(values.results, "mutants.json"), `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(record, all.map((each) => `${JSON.stringify(each)}\n`).join(""));
}

function recorded(): Mutant[] {
  return readFileSync(record, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Mutant);
}

function refusedOnes() {
  return all
    .filter(({ outcome }) => outcome === "refused")
    .map(({ id, kind, file, what, codes, said: words }) => ({
      id,
      kind,
      file,
      what,
      codes,
      said: words.slice(0, 300),
    }));
}
