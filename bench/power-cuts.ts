/**
 * A real Debian system whose power fails at random moments: while livepatches are installed and uninstalled in turns,
 * and while a boot loads what is installed. Each time the next start has to find the true state, and the database whole.
 * What is on the disk is looked at by e2fsck and debugfs; after every ninth cut the machine is started again.
 *
 *   node bench/power-cuts.ts [--first N] [--cuts N] [--seed N]
 *
 * What is on the disk after a cut: the machine's disk is a fresh qcow2 image on top of another one, of which the places
 * of what was written for the first time are written down when the machine flushes its disk, and not before. QEMU is
 * killed, and what was not flushed is lost: all that lay in the machine's memory, and each piece of 64 KiB of the disk that was
 * written for the first time. What was written over in a piece that the image had already is kept without a flush.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Json } from "../src/cli/documents.ts";
import { databasePath } from "../src/host/store/database-path.ts";
import { HostStore } from "../src/host/store/store.ts";
import { run } from "../src/lib/run.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import { newestKernel } from "../test/fixtures/newest-kernel.ts";
import { buildEdits, type Edit } from "../test/kernel/source-diffs.ts";
import { bundledForGuest, GUEST_NODE, GUEST_SCRIPTS } from "../test/machine/for-guest.ts";
import { type FrozenMachine, frozenAgain, resumed } from "../test/machine/frozen-machine.ts";
import { Machine } from "../test/machine/machine.ts";
import type { Hardware } from "../test/machine/qemu-machine.ts";
import { withPackage } from "../test/machine/with-package.ts";
import { writeResults } from "./process/write-results.ts";

/** One cut, and what was found. */
export interface Cut {
  readonly number: number;
  readonly during: "install and uninstall" | "load at boot" | "boot";
  /** Since the work began, or since the boot's agent had greeted. */
  readonly milliseconds: number;
  /** How many changes were said to be done, and how many the history tells of afterwards. */
  readonly said?: number;
  readonly told?: number;
  /** Whether the kernel had said that it takes the livepatch in. */
  readonly loading?: boolean;
  readonly found: "installed" | "not installed" | "kept" | "left out";
  /** What is not as it has to be, a line each. */
  readonly wrong: readonly string[];
}

/** What the runs leave in bench/results. */
export interface PowerCuts {
  readonly release: string;
  readonly seed: number;
  readonly cuts: readonly Cut[];
  readonly wrong: number;
}

const RESULTS = new URL("./results/power-cuts.json", import.meta.url);
const LONGEST_CHANGES_MS = 6000;
/** How much longer than a load at boot takes, when it is cut at the latest; a boot comes to it after a while. */
const LOAD_TIMES = 1.2;
const BOOT_TIMES = 2;
/** What the next start is called. */
const NEXT = "the next one";

const EDITS: Readonly<Record<string, readonly Edit[]>> = {
  kept: [
    [
      "fs/proc/cmdline.c",
      "seq_puts(m, saved_command_line);",
      'seq_puts(m, saved_command_line);\n\tseq_puts(m, " live");',
    ],
  ],
  fix: [
    ["fs/proc/version.c", "seq_printf(m, linux_proc_banner,", 'seq_puts(m, "");\n\tseq_printf(m, linux_proc_banner,'],
  ],
};

const { values } = parseArgs({
  options: {
    first: { type: "string", default: "0" },
    cuts: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
  },
});
const [first, count, seed] = [values.first, values.cuts, values.seed].map(Number) as [number, number, number];

await using directory = await temporaryDirectory();
const { frozen, loadMs } = await prepared(directory.path);
for (let number = first; number < first + count; number++) {
  const place = join(directory.path, `cut-${number}`);
  mkdirSync(place);
  // Of three, one is while it boots.
  const cut = number % 3 === 2 ? await duringBoot(number, place) : await duringChanges(number, place);
  process.stderr.write(`${JSON.stringify(cut)}\n`);
  keep(cut);
}

/** A machine in which one livepatch is installed, and was loaded by a boot that has lived. */
async function prepared(path: string): Promise<{ readonly frozen: FrozenMachine; readonly loadMs: number }> {
  const kernel = await newestKernel("6.1");
  const files: Record<string, string> = {};
  for (const [name, edits] of Object.entries(EDITS)) {
    const built = await buildEdits(kernel, path, name, edits);
    if (built.kind !== "built") throw new Error(`${name}: ${JSON.stringify(built)}`);
    files[`${name}.ko`] = join(path, `${name}.ko`);
  }
  files["changes.mjs"] = join(path, "changes.mjs");
  await bundledForGuest(join(import.meta.dirname, "../test/machine/guest-changes.ts"), files["changes.mjs"]);
  const { debian, machine } = await withPackage(path);
  await using _ = machine;
  await machine.put("/root", files);
  await machine.told(`mv /root/changes.mjs ${GUEST_SCRIPTS} && suture install /root/kept.ko`);
  const began = performance.now();
  await machine.told("systemctl start suture-boot.service");
  const loadMs = performance.now() - began;
  await machine.told("suture boot --lived && systemctl stop suture-boot.service && suture unload kept && sync");
  return { frozen: await frozenAgain(machine, debian.release), loadMs };
}

/** A number from 0 to 1, for each cut the same with one seed. */
function random(number: number): number {
  let state = (seed * 7919 + number) % 2 ** 31;
  for (let round = 0; round < 5; round++) state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
  return state / 2 ** 31;
}

async function duringChanges(number: number, place: string): Promise<Cut> {
  const milliseconds = Math.round(random(number) * LONGEST_CHANGES_MS);
  const machine = await resumed(frozen, place);
  {
    await using _ = machine;
    await machine.told(`${GUEST_NODE} ${GUEST_SCRIPTS}/changes.mjs /root/fix.ko > /dev/null 2>&1 &`);
    while (!(await machine.console()).includes("changes begin")) await wait(50);
    await wait(milliseconds);
  }
  const said = (await machine.console()).split(/change \d+ done/).length - 1;
  const { store, wrong } = await lookedAt(machine.hardware.disk, place);
  using _ = store;
  const changes = store
    .history()
    .filter(({ patch, verb }) => patch === "fix" && (verb === "install" || verb === "uninstall"))
    .map(({ verb }) => verb);
  const isInstalled = store.installed().some(({ name }) => name === "fix");
  if (changes.length < said || changes.length > said + 1) wrong.push(`${said} said, ${changes.length} told`);
  if (isInstalled !== (changes.at(-1) === "install")) wrong.push(`the last was ${changes.at(-1)}`);
  const state = isInstalled ? "installed" : "not installed";
  return { number, during: "install and uninstall", milliseconds, said, told: changes.length, found: state, wrong };
}

/** A real boot, which takes long, is every third one: else the boot's own unit is started in a machine that runs. */
async function duringBoot(number: number, place: string): Promise<Cut> {
  const isReal = number % 9 === 8;
  const milliseconds = Math.round(random(number) * loadMs * (isReal ? BOOT_TIMES : LOAD_TIMES));
  const machine = await resumed(frozen, place);
  const hardware = { ...machine.hardware, state: undefined };
  if (isReal) await machine[Symbol.asyncDispose]();
  const cut = isReal ? await Machine.start(hardware) : machine;
  const before = (await cut.console()).length;
  {
    await using _ = cut;
    if (!isReal) await cut.told("systemctl start --no-block suture-boot.service");
    await wait(milliseconds);
  }
  const loading = (await cut.console()).slice(before).includes("livepatch: enabling patch 'kept'");
  const { store, wrong } = await lookedAt(hardware.disk, place);
  const marked = store.trials().some(({ phase }) => phase !== "over");
  store[Symbol.dispose]();
  if (loading && !marked) wrong.push("it was being loaded when the boot died, and there is no mark of it");
  const isOut = isReal ? await outAfterBoot(hardware, wrong) : marked;
  if (isOut !== marked) wrong.push(isOut ? "it is left out without a mark" : "there is a mark, and it is not left out");
  return {
    number,
    during: isReal ? "boot" : "load at boot",
    milliseconds,
    loading,
    found: isOut ? "left out" : "kept",
    wrong,
  };
}

/** What the next start of the machine makes of it. */
async function outAfterBoot(hardware: Hardware, wrong: string[]): Promise<boolean> {
  await using machine = await Machine.start(hardware);
  await machine.settled();
  const status = JSON.parse(await machine.told("suture status --json -q")) as Json<"status">;
  const isOut = status.installed?.some(({ name, state }) => name === "kept" && state === "left-out") === true;
  const isLive = (await machine.told("ls /sys/kernel/livepatch")).includes("kept");
  if (isOut === isLive) wrong.push(isOut ? "it is left out and live" : "it is neither live nor left out");
  return isOut;
}

/** The store as the next start of the machine has it: its file system's journal is replayed by e2fsck, as by the kernel. */
async function lookedAt(disk: string, place: string): Promise<{ readonly store: HostStore; readonly wrong: string[] }> {
  const [raw, state] = [join(place, "disk.raw"), join(place, "state")];
  await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", disk, raw], { check: true });
  const { exitCode, stdout } = await run("e2fsck", ["-f", "-y", raw]);
  // 1: something was mended, the replayed journal among it.
  const wrong = exitCode !== null && exitCode <= 1 ? [] : [`e2fsck: ${stdout}`];
  mkdirSync(state);
  await run("debugfs", ["-R", `rdump /var/lib/suture ${state}`, raw], { check: true });
  rmSync(raw);
  const own = join(state, "suture");
  const database = new DatabaseSync(databasePath({ state: own }));
  const integrity = Object.values(database.prepare("PRAGMA integrity_check").get() ?? {})[0];
  database.close();
  if (integrity !== "ok") wrong.push(`the database: ${integrity}`);
  // What a cut has left over is removed by the next command that changes anything.
  await HostStore.change({ state: own }, () => {}, { boot: NEXT });
  const store = HostStore.open({ state: own }, NEXT);
  if (store === undefined) throw new Error("there is no database");
  const installed = store.installed();
  for (const { digest } of installed) store.files.read(digest);
  const digests = installed.map(({ digest }) => digest).sort();
  const files = readdirSync(store.files.directory).sort();
  if (files.join() !== digests.join()) wrong.push(`files ${files.join()}, installed ${digests.join()}`);
  if (!installed.some(({ name }) => name === "kept")) wrong.push("what was installed before is not there");
  return { store, wrong };
}

/** Those of earlier runs stay. */
function keep(cut: Cut): void {
  const before = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, "utf8")) as PowerCuts) : undefined;
  const kept = before?.seed === seed ? before.cuts.filter(({ number }) => number !== cut.number) : [];
  const cuts = [...kept, cut].sort((a, b) => a.number - b.number);
  const wrong = cuts.filter((each) => each.wrong.length > 0).length;
  writeResults("power-cuts", { release: frozen.release, seed, wrong, cuts } satisfies PowerCuts);
}
