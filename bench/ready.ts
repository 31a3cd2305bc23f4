/**
 * Making a kernel ready after its packages, and the compiler where it is fetched, are downloaded: seconds, and
 * bytes on disk.
 *
 *   node bench/ready.ts [--rounds N] [RELEASE...]
 */
import { lstatSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Cache } from "../src/lib/cache.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import { machine } from "./machine.ts";
import { type Measured, measured, rounded } from "./measured-command.ts";

const RELEASES = [
  ...["6.1.0-47-cloud-amd64", "6.12.107+deb12-cloud-amd64", "6.12.118+deb13-cloud-amd64"],
  ...["7.2.13+deb14-cloud-amd64", "7.3.4+deb13-cloud-amd64"],
];

export interface Ready {
  readonly release: string;
  /** Packages and all. */
  readonly fromNothingSeconds: number;
  /** The least of all rounds. */
  readonly afterDownloadSeconds: number;
  readonly processorSeconds: number;
  readonly peakMegabytes: number;
  readonly megabytes: number;
  readonly packagesMegabytes: number;
  /** Processes that ran or waited for a processor, by /proc/loadavg, when it was over. */
  readonly load: number;
}

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: "3" } },
  allowPositionals: true,
});

async function readyTimes(release: string): Promise<Ready> {
  // On the disk that kernels are kept on, which /tmp need not be.
  const cache = new Cache();
  await using directory = await temporaryDirectory(cache.directory);
  const env = { SUTURE_CACHE: directory.path };
  const fetch = async () => {
    const run = await measured(["kernel", "fetch", release], directory.path, env);
    if (run.status !== 0) throw new Error(`${release} was not made ready: ${run.stderr}`);
    return run;
  };
  const first = await fetch();
  const rounds: Measured[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    rmSync(join(directory.path, "kernels", release), { recursive: true });
    rounds.push(await fetch());
  }
  return {
    release,
    fromNothingSeconds: first.seconds,
    afterDownloadSeconds: Math.min(...rounds.map(({ seconds }) => seconds)),
    processorSeconds: Math.min(...rounds.map((round) => round.processorSeconds)),
    peakMegabytes: Math.max(...rounds.map((round) => round.peakMegabytes)),
    megabytes: megabytesOf(join(directory.path, "kernels", release)),
    packagesMegabytes: megabytesOf(join(directory.path, "packages")),
    load: rounded(loadavg()[0] ?? 0),
  };
}

/** What a directory takes on disk, blocks and all. */
function megabytesOf(directory: string): number {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const blocks = entries.reduce((sum, { parentPath, name }) => sum + lstatSync(join(parentPath, name)).blocks, 0);
  return Math.round((blocks * 512) / 1e6);
}

const kernels: Ready[] = [];
for (const release of positionals.length > 0 ? positionals : RELEASES) {
  const ready = await readyTimes(release);
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  kernels.push(ready);
}
const result = { kernels, machine: machine("") };
writeFileSync(new URL("./results/ready.json", import.meta.url), `${JSON.stringify(result, undefined, 2)}\n`);
