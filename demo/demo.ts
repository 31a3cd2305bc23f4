/**
 * A published fix, live in a stock kernel: shown missing, built from its source
 * diff, loaded under load, shown at work, taken back. Ends with an error where
 * anything is not as it says.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openKernel } from "../src/build/kernels.ts";
import { Cache } from "../src/lib/cache.ts";
import { silentProgress } from "../src/lib/progress.ts";
import { run } from "../src/lib/run.ts";
import type { PatchMetadata } from "../src/patch/metadata.ts";
import { findingsIn } from "../src/rehearse/kernel-log.ts";
import { Vm } from "../src/rehearse/vm.ts";

const RELEASE = "6.1.0-54-cloud-amd64";
const CVE = "CVE-2026-97597";
const HERE = fileURLToPath(new URL(".", import.meta.url));
const SUTURE = join(HERE, "../bin/suture");
/** How many leases the program asks for, and how many the fix lets a socket hold. */
const ASKED = 20_000;
const LIMIT = 32;
/** A user who stays within the limit all the time, and must never be refused. */
const WORKLOAD = `
rounds=0; failures=0
while [ ! -e /demo/stop ]; do
  rounds=$((rounds + 1))
  case "$(/demo/hoard 16)" in "held 16 refused never"*) ;; *) failures=$((failures + 1)) ;; esac
done
echo "rounds $rounds failures $failures"
`;

const say = (text = ""): void => void process.stdout.write(`${text}\n`);

function holds(condition: boolean, what: string): void {
  if (condition) return;
  say(`NOT AS CLAIMED: ${what}`);
  throw new Error(what);
}

/** Runs the command as a user would; its progress is seen, its answer taken. */
async function suture(...args: string[]): Promise<string> {
  say(`$ suture ${args.filter((arg) => arg !== "--json").join(" ")}`);
  const child = spawn(SUTURE, args, { cwd: directory, stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const status = await new Promise((resolve) => child.on("close", resolve));
  holds(status === 0, `suture ${args[0]} ended with ${status}`);
  return Buffer.concat(chunks).toString();
}

interface Hoard {
  readonly held: number;
  readonly refused: string;
  readonly kilobytes: number;
}

async function hoard(vm: Vm): Promise<Hoard> {
  const { output } = await vm.run(`/demo/hoard ${ASKED}`);
  const [, held, refused, kilobytes] = /held (\d+) refused (\S+) kilobytes (-?\d+)/.exec(output) ?? [];
  holds(held !== undefined, `the program said: ${output}`);
  return { held: Number(held), refused: refused ?? "", kilobytes: Number(kilobytes) };
}

async function answer(vm: Vm, command: string): Promise<string> {
  const { status, output } = await vm.run(command);
  holds(status === 0, `${command}: ${output}`);
  return output.trim();
}

const directory = mkdtempSync(join(tmpdir(), "suture-demo-"));
try {
  say(`${CVE}: in Linux before 6.1.192, any user can make the kernel keep as many leases on`);
  say(`IPv6 flow labels as they like, until its memory is full. The fix: at most ${LIMIT} for a socket.`);
  say("Here it goes into a stock Debian kernel that does not have it, while that kernel runs.");
  say();
  await suture("kernel", "fetch", RELEASE);
  const diff = join(HERE, `${CVE}.patch`);
  const built = JSON.parse(await suture("build", "--json", "--kernel", RELEASE, diff)) as {
    readonly path: string;
    readonly metadata: PatchMetadata;
    readonly seconds: { readonly total: number };
  };
  say((await suture("explain", built.path)).split("\n").slice(0, 9).join("\n"));
  say("  ...");
  await demonstrate(built.path, built.metadata, built.seconds.total);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function demonstrate(
  livepatch: string,
  { name, objects, proofs }: PatchMetadata,
  seconds: number,
): Promise<void> {
  const kernel = await openKernel(
    { kind: "debian", release: RELEASE },
    { cache: new Cache(), progress: silentProgress },
  );
  holds(kernel.vmlinuz !== undefined, "the kernel has an image");
  const program = join(directory, "hoard");
  await run("gcc", ["-O2", "-static", "-D_GNU_SOURCE", "-o", program, join(HERE, "hoard.c")], { check: true });
  say();
  await using vm = await Vm.start({
    image: kernel.vmlinuz ?? "",
    log: join(directory, "console.log"),
    memoryMegabytes: 768,
    files: [
      { kind: "copy", path: "/demo/hoard", from: program, mode: 0o755 },
      { kind: "copy", path: `/demo/${name}.ko`, from: livepatch },
      { kind: "data", path: "/demo/workload", data: WORKLOAD },
    ],
  });
  say(
    `The stock ${RELEASE} booted in a virtual machine in ${vm.bootSeconds.toFixed(1)} s. In it, user nobody asks for ${ASKED} leases:`,
  );
  const before = await hoard(vm);
  say(`  before:   gets ${before.held}, and ${before.kilobytes} kB of the kernel's memory`);
  holds(before.held === ASKED, "without the fix, every lease is given");

  const logged = vm.console.length;
  const bootId = await answer(vm, "cat /proc/sys/kernel/random/boot_id");
  await answer(vm, "start_during /demo/workload");
  const up = Number.parseFloat(await answer(vm, "cat /proc/uptime"));
  await answer(vm, `load_livepatch /demo/${name}.ko ${name} 1500`);
  const transition = transitionSeconds(vm, name);
  const after = await hoard(vm);
  say(`  patched:  gets ${after.held}, then ${after.refused}; a workload that stays within the limit runs on`);
  holds(after.held === LIMIT && after.refused === "ENOBUFS", "with the fix, a socket holds no more than its limit");

  await answer(vm, `disable_livepatch ${name} 1500`);
  await answer(vm, `unload ${name}`);
  const reverted = await hoard(vm);
  say(`  reverted: gets ${reverted.held} again`);
  holds(reverted.held === ASKED, "without the livepatch, the kernel is as it was");

  await answer(vm, "touch /demo/stop; while [ ! -e /suture/during.status ]; do usleep 20000; done");
  const workload = await answer(vm, "stop_during");
  const [, rounds, failures] = /rounds (\d+) failures (\d+)/.exec(workload) ?? [];
  holds(Number(rounds) > 0 && failures === "0", `the workload was never refused: ${workload}`);
  holds((await answer(vm, "cat /proc/sys/kernel/random/boot_id")) === bootId, "the kernel did not start again");
  const end = Number.parseFloat(await answer(vm, "cat /proc/uptime"));
  const findings = findingsIn(vm.console.slice(logged));
  holds(findings.length === 0, `the kernel log has nothing but the notices of patching: ${findings[0]?.line}`);
  await vm.powerOff();

  const funcs = objects.flatMap((object) => object.funcs.map((func) => func.name));
  const proved = proofs.reduce((sum, proof) => sum + proof.proved, 0);
  say();
  say(`  livepatch built in         ${seconds.toFixed(2)} s, from source diff to module`);
  say(`  functions patched          ${funcs.length} (${funcs.join(", ")})`);
  say(`  functions proved           ${proved}, byte for byte the shipped code`);
  say(`  transition                 ${(transition * 1000).toFixed(0)} ms`);
  say(`  workload meanwhile         ${rounds} rounds, ${failures} failures`);
  say(`  uptime                     ${up.toFixed(1)} s when loaded, ${end.toFixed(1)} s at the end, one boot`);
}

/** By the guest's own log. */
function transitionSeconds(vm: Vm, name: string): number {
  const at = (what: string) => vm.console.findLast(({ text }) => text === `livepatch: '${name}': ${what}`)?.seconds;
  const [began, ended] = [at("starting patching transition"), at("patching complete")];
  holds(began !== undefined && ended !== undefined, "the transition began and ended");
  return (ended ?? 0) - (began ?? 0);
}
