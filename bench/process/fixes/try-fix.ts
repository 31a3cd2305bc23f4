/** One fix from its diff to the running program and back, under load. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { loadavg } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Audit } from "../../../src/audit/audit.ts";
import { EXIT } from "../../../src/lib/error.ts";
import { temporaryDirectory } from "../../../src/lib/temp.ts";
import { type Answer, metadataOf, resultsOf, suture } from "./command.ts";
import type { Fix, Place, Service, Sight } from "./fix.ts";
import type { FixOutcome, Stops } from "./outcome.ts";

/** What stands ready for a fix. */
export interface Ready {
  readonly place: Omit<Place, "directory">;
  /** The file that is patched. */
  readonly object: string;
  readonly diffs: readonly string[];
  /** What follows `suture build` so that it finds source and program. */
  readonly buildArgs: readonly string[];
}

/** A stage that did not do what it is to do. */
class Failed extends Error {
  readonly stage: string;

  constructor(stage: string, why: string) {
    super(why);
    this.stage = stage;
  }
}

type Found = { -readonly [Key in keyof FixOutcome]?: FixOutcome[Key] };

/** Never throws for what suture or the program does: that is the outcome. */
export async function tryFix(fix: Fix, prepare: () => Promise<Ready>, audits: boolean): Promise<FixOutcome> {
  const { id, what, source, before, diffs } = fix;
  const loadAverage = Math.round(loadavg()[0] ?? 0);
  const names = diffs.map((diff) => {
    if (typeof diff === "string") return diff;
    return diff.kind === "changed" ? `${diff.files.join(", ")} of ${source.patchesFrom}` : diff.name;
  });
  const row = {
    id,
    what,
    package: source.name,
    version: source.version,
    before: before.kind,
    diffs: names,
    loadAverage,
  };
  const found: Found = {};
  try {
    await using directory = await temporaryDirectory();
    await wholeWay(fix, await prepare(), directory.path, found, audits);
    return { ...row, ...found };
  } catch (error) {
    const stage = error instanceof Failed ? error.stage : "setting up";
    return { ...row, ...found, failed: { stage, why: error instanceof Error ? error.message : String(error) } };
  }
}

async function wholeWay(fix: Fix, ready: Ready, directory: string, found: Found, audits: boolean): Promise<void> {
  const output = join(directory, "livepatch-fix.o");
  const built = await suture(["build", ...ready.buildArgs, "--output", output, ...ready.diffs], directory);
  found.buildSeconds = rounded(built.seconds);
  if (built.exit === EXIT.refused) {
    found.refused = built.complaint;
    return;
  }
  if (built.exit !== 0) throw new Failed("build", built.complaint);
  const metadata = metadataOf(built);
  found.functions = metadata?.objects.flatMap(({ name, funcs }) => funcs.map((func) => `${func.name} (${name})`)) ?? [];
  found.provedFunctions = metadata?.proofs.reduce((sum, { proved }) => sum + proved, 0) ?? 0;
  const name = metadata?.name ?? basename(output, ".o");

  if (audits) found.audit = findingsOf(await suture(["audit", ...ready.buildArgs, output, ...ready.diffs], directory));

  if (fix.lethal === true) {
    await using victim = await start(fix, ready, join(directory, "victim"));
    found.seenBefore = expect(await fix.probe(victim), false, "before");
  }
  await using service = await start(fix, ready, join(directory, "server"));
  if (fix.lethal !== true) found.seenBefore = expect(await fix.probe(service), false, "before");
  const pids = service.pids();
  const chosen = pids.flatMap((pid) => ["--pid", String(pid)]);
  check(await suture(["preflight", output, ...chosen], directory), "preflight");
  const load = service.load();
  try {
    await sleep(1000);
    found.load = stopsOf(check(await suture(["load", output, ...chosen], directory), "load"));
    found.seenPatched = expect(await fix.probe(service), true, "patched");
    await sleep(1000);
    found.disable = stopsOf(check(await suture(["disable", name, ...chosen], directory), "disable"));
    check(await suture(["unload", name, ...chosen], directory), "unload");
    await sleep(1000);
  } finally {
    const report = await load.stop();
    found.generator = service.generator;
    found.requests = report.requests;
    found.errors = report.errors;
    found.complaints = report.complaints.slice(0, 5);
  }
  if (found.errors > 0) throw new Failed("load generator", found.complaints.join("; "));
  if (!service.server.alive || service.pids().join() !== pids.join()) throw new Failed("unload", "a process has ended");
  found.seenAfter = expect(await fix.probe(service), false, "unloaded");
}

async function start(fix: Fix, { place }: Ready, directory: string): Promise<Service> {
  if (!existsSync(directory)) await mkdir(directory);
  return await fix.start({ ...place, directory });
}

function findingsOf(answer: Answer): string[] {
  const findings = answer.json["findings"] as Audit["findings"] | undefined;
  if (findings === undefined) throw new Failed("audit", answer.complaint);
  return findings.map(({ kind, what }) => `${kind}: ${what}`);
}

function expect(sight: Sight, fixed: boolean, when: string): string {
  if (sight.fixed !== fixed) throw new Failed(`probe, ${when}`, sight.seen);
  return sight.seen;
}

function check(answer: Answer, stage: string): Answer {
  if (answer.exit !== 0) throw new Failed(stage, answer.complaint);
  return answer;
}

function stopsOf(answer: Answer): Stops {
  const costs = resultsOf(answer).flatMap(({ cost }) => cost ?? []);
  return {
    processes: resultsOf(answer).length,
    threads: costs.reduce((sum, { threads }) => sum + threads, 0),
    stopsUs: costs.flatMap(({ stopsUs }) => stopsUs.map(Math.round)),
    singleUs: costs.flatMap(({ single }) => single.map(({ stoppedUs }) => Math.round(stoppedUs))),
    seconds: rounded(answer.seconds),
  };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
