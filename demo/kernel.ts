/**
 * A published fix in a kernel that keeps running: shown missing, built from its
 * source diff, loaded under a workload, shown at work, taken back.
 */
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Cache } from "../src/lib/cache.ts";
import { silentProgress } from "../src/lib/progress.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import { readLivepatchFile } from "../src/patch/livepatch-file.ts";
import type { Kernel } from "../src/provider/kernel/kernel.ts";
import { findingsIn } from "../src/rehearse/kernel-log.ts";
import type { Vm } from "../src/rehearse/vm.ts";
import { openKernel } from "../src/subject/kernel/open-kernel.ts";
import {
  bootMachine,
  bootOf,
  bringIn,
  CGROUP_MEGABYTES,
  type Hoard,
  hoard,
  type InGuest,
  serviceGoesOn,
  startService,
  sutureInGuest,
} from "./machine.ts";
import {
  chapter,
  claim,
  command as commandLine,
  grouped,
  megabytes,
  milliseconds,
  NotAsClaimed,
  printed,
  type Row,
  say,
  title,
} from "./story.ts";
import { CHECKOUT, suture } from "./suture.ts";

const CVE = "CVE-2026-97597";
/** Stock kernels without the fix, the newest first; the archive drops old ones with time. */
const RELEASES = ["6.1.0-54", "6.1.0-53", "6.1.0-50", "6.1.0-47"].map((release) => `${release}-cloud-amd64`);
/** How many leases the intruder asks for, how many the fix lets a socket hold, and what one costs at least. */
const ASKED = 250_000;
const LIMIT = 32;
const LEASE_BYTES = 32;

/** With what the story is told. */
export interface KernelStory {
  /** Where it is not named, the newest one that the archive has without the fix. */
  readonly release: string | undefined;
  readonly signal: AbortSignal;
  /** Told of the kernel as soon as it is ready. */
  readonly onKernel: (kernel: Kernel) => void;
}

/** @returns the lines of the summary */
export async function patchKernel({ release: asked, signal, onKernel }: KernelStory): Promise<Row[]> {
  await using directory = await temporaryDirectory();
  const diff = `${CVE}.patch`;
  const livepatch = `livepatch-${CVE}.ko`;
  await copyFile(join(CHECKOUT, "demo", diff), join(directory.path, diff));

  title(`${CVE}: fixed in a kernel that keeps running`);
  say(
    "A program may lease an IPv6 flow label for a socket. Before 6.1.192, Linux lets any user",
    "lease the same label on the same socket again and again; each lease takes kernel memory",
    `that no limit counts. The fix, 20 lines of C, lets a socket hold ${LIMIT}.`,
  );

  chapter("1. A stock kernel that does not have the fix");
  const release = await fetchOneOf(directory.path, asked === undefined ? RELEASES : [asked], signal);
  const kernel = await openKernel({ kind: "release", release }, { cache: new Cache(), progress: silentProgress });
  claim(kernel.vmlinuz !== undefined, "the kernel has an image that boots", kernel.directory);
  onKernel(kernel);
  await using vm = await bootMachine(kernel.vmlinuz, directory.path, signal);
  const logged = vm.console.length;
  say(`It booted in a virtual machine in ${vm.bootSeconds.toFixed(1)} s. There, the user nobody, in a cgroup that`);
  say(`may use ${CGROUP_MEGABYTES} MB of memory, asks for ${grouped(ASKED)} leases on one socket:`);
  const before = await hoard(vm, ASKED);
  claimUnpatched(before, "without the fix the kernel gives every lease");
  say(
    `   ${grouped(before.leases)} given, and ${megabytes(before.kilobytes)} of kernel memory with them; ` +
      `charged to the cgroup: ${megabytes(before.chargedKilobytes)}.`,
  );
  await startService(vm);
  let service = await serviceGoesOn(vm, undefined);
  say("A service starts, which uses labels as it should: lease, send, check what arrives, give back.");

  chapter("2. From the source diff to a livepatch, while that machine runs");
  commandLine("$", `tail -n 11 ${diff}`);
  printed((await readFile(join(directory.path, diff), "utf8")).split("\n").slice(-12).join("\n"));
  const build = await suture(directory.path, ["build", "--kernel", release, diff], signal);
  claim(build.status === 0, "the livepatch is built", `exit code ${build.status}, ${build.code}`);
  const file = await readLivepatchFile(join(directory.path, livepatch));
  const metadata = file.metadata;
  claim(metadata !== undefined, "the livepatch says what it is", file.path);

  chapter("3. Into the running kernel");
  await bringIn(vm, file.path, `/demo/${livepatch}`);
  const first = await bootOf(vm);
  service = await serviceGoesOn(vm, service);
  const loaded = await shown(vm, `load ${livepatch}`, `load /demo/${livepatch}`);
  claim(loaded.transitionSeconds !== undefined, "the kernel log tells of the transition", vm.console.slice(-8));
  await shown(vm, "list");
  say(`Every task runs the new code after ${milliseconds(loaded.transitionSeconds)}. Nobody asks again:`);
  const patched = await hoard(vm, ASKED);
  claim(patched.leases === LIMIT && patched.refused === "ENOBUFS", `with the fix, ${LIMIT} leases are given`, patched);
  service = await serviceGoesOn(vm, service);
  const later = await bootOf(vm);
  say(
    `   ${patched.leases} given, then ${patched.refused}. The machine has been up ${later.uptime.toFixed(0)} s, and the service`,
  );
  say(`   has made ${grouped(service.rounds)} rounds with ${service.errors} errors.`);

  chapter("4. And back");
  await shown(vm, `disable ${file.name}`);
  const unloaded = await shown(vm, `unload ${file.name}`);
  claim(unloaded.output.includes(`${file.name} unloaded`), "the livepatch is out of memory", unloaded.output);
  const reverted = await hoard(vm, ASKED);
  claimUnpatched(reverted, "without the livepatch the kernel is as it was");
  service = await serviceGoesOn(vm, service);
  const last = await bootOf(vm);
  claim(last.boot === first.boot && last.uptime > later.uptime, "the machine never started again", { first, last });
  const findings = findingsIn(vm.console.slice(logged), vm.machine.faults);
  claim(findings.length === 0, "the kernel log has the notices of patching and nothing else", findings[0]);
  say(
    `   ${grouped(reverted.leases)} given: the kernel is as it was. Its log has the notices of patching and nothing else.`,
  );
  await vm.powerOff();

  const funcs = metadata.objects.flatMap((object) => object.funcs.map(({ name }) => `${name} (${object.name})`));
  const proved = metadata.proofs.reduce((sum, proof) => sum + proof.proved, 0);
  return [
    ["from diff to livepatch", `${build.seconds.toFixed(1)} s`],
    ["functions patched", `${funcs.length}: ${funcs.join(", ")}`],
    ["functions proved", `${proved}, byte for byte what Debian shipped`],
    ["transition", milliseconds(loaded.transitionSeconds)],
    ["service meanwhile", `${grouped(service.rounds)} rounds, ${service.errors} errors`],
    ["uptime", `${last.uptime.toFixed(0)} s, one boot`],
  ];
}

/** Makes the first of these kernels ready that the archive still has. */
async function fetchOneOf(directory: string, releases: readonly string[], signal: AbortSignal): Promise<string> {
  for (const release of releases) {
    const { status, code } = await suture(directory, ["kernel", "fetch", release], signal);
    if (status === 0) return release;
    if (code !== "KERNEL_NOT_IN_ARCHIVE" && code !== "PACKAGE_MISSING") {
      throw new NotAsClaimed(`suture kernel fetch ended with exit code ${status} and ${code ?? "no reason"}`);
    }
    say(`The archive does not have it any more (${code}).`);
  }
  throw new NotAsClaimed(`the archive has a kernel without the fix for ${CVE}; seen: none of ${releases.join(", ")}`);
}

function claimUnpatched(seen: Hoard, what: string): void {
  claim(seen.leases === ASKED && seen.refused === "", what, seen);
  claim(seen.kilobytes * 1024 > 0.8 * ASKED * LEASE_BYTES, "the leases take kernel memory", seen);
}

/** Runs suture in the guest for the reader to see. */
async function shown(vm: Vm, words: string, command = words): Promise<InGuest> {
  commandLine("guest#", `suture ${words}`);
  const said = await sutureInGuest(vm, command);
  printed(said.output);
  return said;
}
