/**
 * Kills commands, and the daemon that carries them out, at random moments of installing, loading, unloading and
 * uninstalling. Each time the program has to go on, and what comes next has to find the true state, the database whole.
 *
 *   node bench/process/killed-commands.ts [--kills N] [--seed N]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { hostPaths } from "../../src/host/paths.ts";
import { machineState } from "../../src/host/status/machine.ts";
import { databasePath } from "../../src/host/store/database-path.ts";
import { HostStore } from "../../src/host/store/store.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { livepatch, program } from "../../test/fixtures/patched-program.ts";
import { ownSource, Server } from "../../test/process/server.ts";
import { writeResults } from "./write-results.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");
const [ORIGINAL, PATCHED] = ["110", "1010"];
const THREADS = 8;
/** What a command takes of which no one has come to its end yet. */
const FIRST_MS = 600;

/** What the run leaves in bench/results. */
export interface KilledCommands {
  readonly kills: number;
  readonly seed: number;
  /** Commands that had ended before they were killed. */
  readonly late: number;
  /** By who was killed and what was to be done, what was found then. */
  readonly found: { readonly [killed: string]: { readonly [state: string]: number } };
  readonly wrong: readonly string[];
}

const { values } = parseArgs({
  options: { kills: { type: "string", default: "200" }, seed: { type: "string", default: "1" } },
});
const kills = Number(values.kills);
let state = Number(values.seed);

/** From 0 to 1. */
function random(): number {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
  return state / 2 ** 31;
}

await using directory = await temporaryDirectory();
const root = join(directory.path, "root");
const env = { ...process.env, SUTURE_ROOT: root };
const paths = hostPaths(env);
mkdirSync(paths.configuration, { recursive: true });
writeFileSync(join(paths.configuration, "suture.conf"), "require-signatures = no\n");
const source = ownSource(directory.path);
const served = program({ directory: directory.path, name: "killed-srv", source });
const fix = livepatch(served, source.replace("return base + scale(n);", "return base + scale(n) + 900;"));
await using server = await Server.start([served.path, String(THREADS)]);
const where = ["--pid", String(server.pid)];

class Daemon {
  readonly child: ChildProcess = spawn(SUTURE, ["daemon"], { env, stdio: ["ignore", "ignore", "pipe"] });

  /** When it has done all that it does at its start. */
  async ready(): Promise<void> {
    const lines = createInterface({ input: this.child.stderr as NodeJS.ReadableStream });
    for await (const line of lines) if (/for new processes/.test(line)) break;
    this.child.stderr?.resume();
  }
}

function command(args: readonly string[]): ChildProcess {
  return spawn(SUTURE, [...args, "-q"], { env, stdio: "ignore" });
}

async function done(...args: readonly string[]): Promise<number | null> {
  const [exit] = (await once(command(args), "close")) as [number | null];
  return exit;
}

/** The patch in the process as it is told, what the database says of it, and what is wrong with either. */
async function looked(): Promise<{ readonly state: string; readonly isInstalled: boolean; readonly wrong: string[] }> {
  const wrong: string[] = [];
  const { live, damaged, newer } = await machineState(paths);
  // Others on this machine may have broken processes of their own.
  for (const { pid, error } of damaged) if (pid === server.pid) wrong.push(`damaged: ${error.code}: ${error.message}`);
  if (newer.some(({ pid }) => pid === server.pid)) wrong.push("newer");
  const own = live.filter(({ pids }) => pids.includes(server.pid));
  if (own.length > 1) wrong.push(`${own.length} livepatches`);
  const seen = own[0]?.state ?? "none";
  const isInstalled = await inDatabase(wrong);
  return { state: seen, isInstalled, wrong };
}

async function inDatabase(wrong: string[]): Promise<boolean> {
  const path = databasePath(paths);
  // A reader may come before the first command has made one.
  if (readdirSync(join(root)).includes("var") && readdirSync(paths.state).includes("suture.db")) {
    using database = new DatabaseSync(path);
    const said = Object.values(database.prepare("PRAGMA integrity_check").get() ?? {})[0];
    if (said !== "ok") wrong.push(`the database: ${said}`);
  }
  return await HostStore.change(paths, (store) => {
    const installed = store.installed();
    for (const { digest } of installed) store.files.read(digest);
    const rows = installed.map(({ digest }) => digest).join();
    const files = installed.length > 0 ? readdirSync(store.files.directory).join() : rows;
    if (files !== rows) wrong.push(`files ${files}, installed ${rows}`);
    const last = store.history().findLast(({ verb }) => verb === "install" || verb === "uninstall");
    if ((last?.verb === "install") !== installed.length > 0) wrong.push(`the last was ${last?.verb ?? "nothing"}`);
    return installed.length > 0;
  });
}

/** What it answers has to be what its state says. */
async function answers(told: string, wrong: string[]): Promise<void> {
  const [said = ""] = (await server.ask("a1")).split(" ");
  const allowed = ["enabling", "disabling"].includes(told)
    ? [ORIGINAL, PATCHED]
    : told === "enabled"
      ? [PATCHED]
      : [ORIGINAL];
  if (!allowed.includes(said)) wrong.push(`it is ${told}, and answers ${said}`);
  const before = await server.ask("w");
  await wait(20);
  const after = await server.ask("w");
  if (before === after) wrong.push("its threads stand still");
  if (!after.endsWith(" 0")) wrong.push(`its threads got ${after.split(" ")[1]} wrong answers`);
}

const found: Record<string, Record<string, number>> = {};
const wrong: string[] = [];
let late = 0;
/** Milliseconds of the last command of a kind that came to its end. */
const took = new Map<string, number>();
let daemon: Daemon | undefined;
let { isInstalled, state: told } = await looked();
for (let kill = 0; kill < kills; kill++) {
  // Every third command does without a daemon.
  const hasDaemon = kill % 3 !== 2;
  if (hasDaemon) {
    daemon ??= new Daemon();
    await daemon.ready();
    ({ isInstalled, state: told } = await looked());
  }
  const verbs: readonly (readonly string[])[] = [
    isInstalled ? ["uninstall", "fix"] : ["install", fix],
    told === "none" ? ["load", fix, ...where] : ["unload", "fix", ...where],
    ["boot"],
  ];
  const verb = verbs[Math.floor(random() * verbs.length)] ?? ["boot"];
  const victim = hasDaemon && random() < 0.5 ? "daemon" : "command";
  const child = command(verb);
  const began = performance.now();
  let tookMs: number | undefined;
  child.once("exit", () => {
    tookMs = performance.now() - began;
  });
  const closed = once(child, "close");
  const kind = `${verb[0]} ${hasDaemon}`;
  await wait(random() * (took.get(kind) ?? FIRST_MS));
  if (tookMs !== undefined) {
    late++;
    took.set(kind, tookMs);
  }
  (victim === "daemon" ? daemon?.child : child)?.kill("SIGKILL");
  await closed;
  if (daemon !== undefined) {
    // One that lives would go on with what it was told.
    const ended =
      daemon.child.exitCode === null && daemon.child.signalCode === null ? once(daemon.child, "close") : undefined;
    daemon.child.kill(victim === "daemon" ? "SIGKILL" : "SIGTERM");
    await ended;
    daemon = undefined;
  }
  const seen = await looked();
  await answers(seen.state, seen.wrong);
  const killed = `${victim}: ${verb[0]}`;
  const states = found[killed] ?? {};
  found[killed] = states;
  const is = `${seen.state}, ${seen.isInstalled ? "installed" : "not installed"}`;
  states[is] = (states[is] ?? 0) + 1;
  if (seen.state === "enabling" || seen.state === "disabling") {
    // The next command goes on with it, or back.
    const exit = await done(...(kill % 2 === 0 ? ["unload", "fix"] : ["enable", "fix"]), ...where);
    const then = await looked();
    if (exit !== 0 || ["enabling", "disabling"].includes(then.state)) seen.wrong.push(`then ${exit}: ${then.state}`);
    await answers(then.state, seen.wrong);
  }
  wrong.push(...seen.wrong.map((each) => `${kill}, ${killed}: ${each}`));
  ({ isInstalled, state: told } = await looked());
  // What was found so far is there when the run is ended.
  if (kill % 10 === 9 || kill === kills - 1)
    writeResults("killed-commands", {
      kills: kill + 1,
      seed: Number(values.seed),
      late,
      found,
      wrong,
    } satisfies KilledCommands);
}
