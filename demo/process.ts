/**
 * Published fixes in programs that keep running: a stock redis-server under
 * load, a function of it that never is off the stack, and a service of many
 * threads that never all stand outside of what is patched.
 */
import { copyFile, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SHARED_NACK } from "../bench/process/fixes/redis-payloads.ts";
import { type Reply, Resp, replyWords } from "../bench/process/fixes/resp.ts";
import type { Server } from "../bench/process/fixes/server.ts";
import { Cache } from "../src/lib/cache.ts";
import { silentProgress } from "../src/lib/progress.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import { sourceArchive } from "../src/provider/debian/source-archive.ts";
import { openSourcePackage } from "../src/provider/debian/source-package.ts";
import { entryOf } from "../src/provider/debian/wanted-source.ts";
import { startRedis, Traffic } from "./redis.ts";
import { chapter, claim, command, grouped, printed, type Row, say, title } from "./story.ts";
import { CHECKOUT, type Ran, suture } from "./suture.ts";
import { buildWorkers, Workers } from "./workers.ts";

const CVE = "CVE-2026-66373";
/** Debian 12's own; its security updates have the fix, and leave this one in the archive. */
const VERSION = "5:7.0.15-1~deb12u7";
const PACKAGE = `redis=${VERSION}`;
const CYCLES = "eventloop-cycles";
const PRICES = "exact-prices";
const THREADS = 64;

/** @returns the lines of the summary */
export async function patchPrograms(signal: AbortSignal): Promise<Row[]> {
  await using directory = await temporaryDirectory();
  const bring = (name: string) => copyFile(join(CHECKOUT, "demo", name), join(directory.path, name));
  for (const name of [CVE, CYCLES, PRICES]) await bring(`${name}.patch`);
  const isThere = await hasSource(signal);
  if (!isThere) {
    title(`${CVE}: not shown here`);
    say(
      `It is of redis ${VERSION}, which Debian 12 ships, and which is not in the archive that this machine has.`,
      "What follows needs no package.",
    );
  }
  return [
    ...(isThere ? await patchRedis(directory.path, signal) : []),
    ...(await patchWorkers(directory.path, signal)),
  ];
}

/** Whether the source of the stock redis-server is ready, or can be had from what apt knows here. */
async function hasSource(signal: AbortSignal): Promise<boolean> {
  const cache = new Cache();
  if (entryOf(cache, { source: "redis", version: VERSION, installed: [] }).exists()) return true;
  const all = await (await sourceArchive(cache, signal)).sources("redis");
  return all.some((stanza) => stanza["Version"] === VERSION);
}

async function patchRedis(directory: string, signal: AbortSignal): Promise<Row[]> {
  title(`${CVE}: fixed in a redis-server that keeps running`);
  say(
    "RESTORE takes a value in redis's own binary form. Before Debian's security update of August",
    "2026, it takes a stream whose one pending entry two consumers own, and each of them frees it.",
    "The fix, 5 lines of C, turns such a stream down.",
  );
  chapter("1. A stock redis-server that does not have the fix");
  await done(suture(directory, ["source", PACKAGE], signal), "the source of the package is ready");
  const { tree } = await openSourcePackage(PACKAGE, { cache: new Cache(), progress: silentProgress, signal });
  say("The package's own build has run once, so that every compile is known; it is kept for the next time.");
  say("What runs is not what was built, but the stripped program that Debian ships:");
  const programs = join(dirname(tree), "shipped/usr/bin");
  await using server = await startRedis(programs, directory);
  command("$", `redis-server --port ${server.port} &`);
  await restored(server, true);
  using traffic = await Traffic.start(programs, server.port);
  say("redis-benchmark starts, round after round, and beside it a client that checks every reply.");

  chapter("2. From the source diff to a livepatch");
  const build = await done(suture(directory, ["build", "--package", PACKAGE, `${CVE}.patch`], signal), "it is built");

  chapter("3. Into the running program");
  const pid = ["--pid", String(server.pid)];
  const load = await done(suture(directory, ["load", `livepatch-${CVE}.o`, ...pid], signal), "it is loaded");
  await restored(server, false);
  meanwhile(traffic);

  chapter("4. And back");
  const name = `livepatch_${CVE.replaceAll("-", "_")}`;
  await done(suture(directory, ["disable", name, ...pid], signal), "it is disabled");
  await done(suture(directory, ["unload", name, ...pid], signal), "it is unloaded");
  await restored(server, true);
  meanwhile(traffic);

  chapter("5. A function that is always on the stack");
  say(
    "Redis 7.2 has a count of its event loop's turns. The turn is a function that the server is",
    "always in: mostly it waits there. So there is no moment at which all threads could switch at once:",
  );
  command("$", `grep '^[+-]' ${CYCLES}.patch`);
  const diff = await readFile(join(directory, `${CYCLES}.patch`), "utf8");
  printed(diff.match(/^[+-].*$/gm)?.join("\n") ?? "");
  await done(suture(directory, ["build", "--package", PACKAGE, `${CYCLES}.patch`], signal), "it is built");
  const stop = ["--consistency", "stop", "--timeout", "2"];
  const held = await suture(directory, ["load", `livepatch-${CYCLES}.o`, ...pid, ...stop], signal);
  claim(held.status === 2 && held.code === "DEADLINE", "stop cannot patch it, and says so", held);
  claim((await cycles(server)) === undefined, "nothing was changed", await cycles(server));
  say("With lazy, each thread switches when it comes back from the last patched function that it is in:");
  const lazy = ["--consistency", "lazy"];
  const late = await done(
    suture(directory, ["load", `livepatch-${CYCLES}.o`, ...pid, ...lazy], signal),
    "it is loaded",
  );
  const [first, then] = [await cycles(server), await sleep(1000).then(() => cycles(server))];
  claim(first !== undefined && then !== undefined && then > first, "the turns are counted", [first, then]);
  command("$", `redis-cli -p ${server.port} info stats | grep cycles   # twice, a second apart`);
  printed(`eventloop_cycles:${first}\neventloop_cycles:${then}`);
  const loop = `livepatch_${CYCLES.replaceAll("-", "_")}`;
  await done(suture(directory, ["disable", loop, ...pid, ...lazy], signal), "it is disabled");
  await done(suture(directory, ["unload", loop, ...pid], signal), "it is unloaded");
  claim((await cycles(server)) === undefined, "the count is gone", await cycles(server));

  const { benchmark, checked, wrong } = await traffic.stop();
  claim(benchmark.errors === 0, "redis-benchmark sees no error and no lost connection", benchmark.complaints);
  claim(wrong.length === 0, "every checked reply is right", wrong[0]);
  claim(server.alive && benchmark.requests > 0, "the same process still answers", benchmark);
  say(
    `All the while: ${grouped(benchmark.requests)} requests of redis-benchmark and ${grouped(checked)} checked replies on one`,
    "connection; no error, no wrong reply, no lost connection.",
  );
  return [
    ["from diff to livepatch", `${build.seconds.toFixed(1)} s`],
    ["redis (hybrid)", stoodStill(load)],
    ["redis (lazy)", stoodStill(late)],
    ["redis meanwhile", `${grouped(benchmark.requests + checked)} requests, 0 errors`],
  ];
}

async function patchWorkers(directory: string, signal: AbortSignal): Promise<Row[]> {
  chapter(`6. ${THREADS} threads that are never all outside`);
  say(
    "A service of one's own, by the compile_commands.json of its build. Its threads are nearly always",
    "inside settle, where an order is first taken from one account, then given to another. The fix",
    "changes both; an order that met one of them old and one new would be torn.",
  );
  await buildWorkers(directory);
  using workers = new Workers(directory, THREADS);
  command("$", `./workers ${THREADS} &`);
  const before = await workers.books();
  printed(`${before.settled} settled, ${before.lost} hundredths of a cent lost by rounding, ${before.torn} torn`);
  const args = ["build", "--compile-commands", "compile_commands.json", "--exe", "workers", `${PRICES}.patch`];
  await done(suture(directory, args, signal), "it is built");
  const pid = ["--pid", String(workers.pid)];
  const load = await done(suture(directory, ["load", `livepatch-${PRICES}.o`, ...pid], signal), "it is loaded");
  const first = await workers.books();
  await sleep(500);
  const then = await workers.books();
  printed(`${then.settled} settled, ${then.lost} lost, ${then.torn} torn`);
  claim(then.settled > first.settled && then.lost === first.lost, "nothing is lost any more", [first, then]);
  const name = `livepatch_${PRICES.replaceAll("-", "_")}`;
  await done(suture(directory, ["disable", name, ...pid], signal), "it is disabled");
  await done(suture(directory, ["unload", name, ...pid], signal), "it is unloaded");
  const last = await workers.books();
  claim(workers.alive && last.lost > then.lost, "without the livepatch it loses again", last);
  claim(last.torn === 0, "no order was torn", last);
  say(`${grouped(last.settled)} orders, none of them torn; without the livepatch it loses again.`);
  return [[`${THREADS} workers (hybrid)`, stoodStill(load)]];
}

/** Waits for a command that has to do what it is told. */
async function done(running: Promise<Ran>, what: string): Promise<Ran> {
  const ran = await running;
  claim(ran.status === 0, what, `exit code ${ran.status}, ${ran.code}`);
  return ran;
}

/** Asks for what the fix forbids. */
async function restored(server: Server, taken: boolean): Promise<void> {
  using client = await Resp.connect(server.port);
  const reply: Reply = await client.send("RESTORE", "stream", "0", SHARED_NACK, "REPLACE");
  command("$", `redis-cli -p ${server.port} RESTORE stream 0 "$(cat shared-by-two)" REPLACE`);
  printed(replyWords(reply));
  claim(
    (reply === "OK") === taken,
    taken ? "without the fix it is taken" : "with the fix it is not",
    replyWords(reply),
  );
}

function meanwhile(traffic: Traffic): void {
  claim(traffic.wrong === 0, "every checked reply is right", `${traffic.wrong} are not`);
  say(`${grouped(traffic.checked)} replies checked so far, none of them wrong.`);
}

/** The count of turns; undefined where INFO has none. */
async function cycles(server: Server): Promise<number | undefined> {
  using client = await Resp.connect(server.port);
  const count = /^eventloop_cycles:(\d+)/m.exec(String(await client.send("INFO", "stats")))?.[1];
  return count === undefined ? undefined : Number(count);
}

/** What the command said of it. */
function stoodStill({ answer }: Ran): string {
  const all = /(all \d+ threads? stopped .*)/.exec(answer)?.[1];
  const single = /stopped one by one, (.*)/.exec(answer)?.[1];
  return [all, single === undefined ? undefined : `one by one: ${single}`]
    .filter((each) => each !== undefined)
    .join("; ");
}
