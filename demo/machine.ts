/** The virtual machine of the demo: the intruder, the service, and the way in for a livepatch. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { run } from "../src/lib/run.ts";
import { Vm } from "../src/rehearse/vm.ts";
import type { LogLine } from "../src/targets/kernel/kernel-messages.ts";
import { sutureFiles } from "../test/guest-programs.ts";
import { claim } from "./story.ts";
import { CHECKOUT } from "./suture.ts";

/** What the intruder got. */
export interface Hoard {
  readonly leases: number;
  /** Of the kernel's memory, by /proc/meminfo. */
  readonly kilobytes: number;
  /** Name of the error that ended it; empty if it got all it asked for. */
  readonly refused: string;
  /** The most that its cgroup was charged for, by memory.peak. */
  readonly chargedKilobytes: number;
}

/** What the service has done since it started. */
export interface Service {
  readonly rounds: number;
  readonly errors: number;
  /** What failed first. */
  readonly first: string;
}

/** What the cgroup of the intruder may use. */
export const CGROUP_MEGABYTES = 4;

const HOARD = `
cgroup=/sys/fs/cgroup/nobody
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
mkdir $cgroup && echo ${CGROUP_MEGABYTES}M > $cgroup/memory.max || exit 1
sh -c 'echo $$ > '$cgroup'/cgroup.procs; exec /demo/hoard "$1"' sh "$1" && cat $cgroup/memory.peak
status=$?
rmdir $cgroup
exit $status
`;

const PROGRAMS = ["hoard", "workload"] as const;

/** Boots the stock kernel with the two programs, which are compiled first. `directory` is for what lasts as long as it. */
export async function bootMachine(image: string, directory: string, signal: AbortSignal): Promise<Vm> {
  const files = PROGRAMS.map((name) => ({
    kind: "copy" as const,
    path: `/demo/${name}`,
    from: join(directory, name),
  }));
  for (const { path, from } of files) {
    await run("gcc", ["-O2", "-static", "-o", from, `${CHECKOUT}${path.slice(1)}.c`], { check: true, signal });
  }
  const script = { kind: "data", path: "/demo/hoard.sh", data: HOARD } as const;
  const suture = await sutureFiles();
  return await Vm.start({ image, files: [...files, script, ...suture], log: join(directory, "console.log"), signal });
}

/** Runs a command in the guest that has to succeed, and returns what it printed. */
export async function inGuest(vm: Vm, command: string): Promise<string> {
  const { status, output } = await vm.run(command);
  claim(status === 0, `in the guest, this command succeeds: ${command.slice(0, 60)}`, output);
  return output.trim();
}

/** The intruder asks for `wanted` leases. */
export async function hoard(vm: Vm, wanted: number): Promise<Hoard> {
  const [answer = "", peak = ""] = (await inGuest(vm, `sh /demo/hoard.sh ${wanted}`)).split("\n");
  return { ...(JSON.parse(answer) as Omit<Hoard, "chargedKilobytes">), chargedKilobytes: Number(peak) / 1024 };
}

/** A command of suture on the guest's own kernel. */
export interface InGuest {
  readonly output: string;
  /** From the first line of its transition in the kernel's log to the last; undefined where there was none. */
  readonly transitionSeconds: number | undefined;
}

const COMMAND_SECONDS = 600;

/** Runs suture in the guest, with the emulated processor that is there; it has to succeed. */
export async function sutureInGuest(vm: Vm, command: string): Promise<InGuest> {
  const { status, output, log } = await vm.run(`HOME=/demo suture ${command} -q 2>&1`, COMMAND_SECONDS);
  claim(status === 0, `in the guest, suture ${command} succeeds`, output);
  return { output, transitionSeconds: transitionOf(log) };
}

function transitionOf(log: readonly LogLine[]): number | undefined {
  const began = log.find(({ text }) => /^livepatch: .* starting \w+ transition$/.test(text))?.seconds;
  const ended = log.find(({ text }) => /^livepatch: .*patching complete$/.test(text))?.seconds;
  return began === undefined || ended === undefined ? undefined : ended - began;
}

/** Which boot of the guest this is, and for how many seconds it has been up. */
export async function bootOf(vm: Vm): Promise<{ readonly boot: string; readonly uptime: number }> {
  const [boot = "", uptime] = (await inGuest(vm, "cat /proc/sys/kernel/random/boot_id /proc/uptime")).split("\n");
  return { boot, uptime: Number.parseFloat(uptime ?? "") };
}

const COUNTERS = "/demo/service";

export async function startService(vm: Vm): Promise<void> {
  await inGuest(
    vm,
    `setsid /demo/workload ${COUNTERS} > /dev/null 2>&1 & echo $! > /demo/pid; while ! [ -s ${COUNTERS} ]; do usleep 20000; done`,
  );
}

/** Claims that the service has gone on since `last`, without an error. */
export async function serviceGoesOn(vm: Vm, last: Service | undefined): Promise<Service> {
  const now = JSON.parse(await inGuest(vm, `cat ${COUNTERS}`)) as Service;
  claim(now.errors === 0, "the service has no errors", now);
  claim(now.rounds > (last?.rounds ?? 0), "the service goes on", now);
  return now;
}

const CHUNK = 2800;

/** Brings a file of the host into the guest, which has neither disk nor network: as commands on its serial line. */
export async function bringIn(vm: Vm, from: string, to: string): Promise<void> {
  const data = await readFile(from);
  const text = gzipSync(data).toString("base64");
  for (let at = 0; at < text.length; at += CHUNK) {
    await inGuest(vm, `echo ${text.slice(at, at + CHUNK)} >> ${to}.base64`);
  }
  const sum = await inGuest(vm, `base64 -d ${to}.base64 | gunzip > ${to} && rm ${to}.base64 && sha256sum < ${to}`);
  claim(sum.startsWith(createHash("sha256").update(data).digest("hex")), "the livepatch arrived whole", sum);
}
