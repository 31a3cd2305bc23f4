/**
 * The match on a machine with another byte order: files of the stock s390x kernel,
 * compiled by the cross compiler, against what that kernel ships.
 *
 *   node bench/s390x.ts [FILE...]
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readUnit } from "../src/diff/read-unit.ts";
import { readElf } from "../src/elf/read.ts";
import { Cache } from "../src/lib/cache.ts";
import { openKbuild } from "../src/provider/kernel/kbuild.ts";
import { proveUnit } from "../src/subject/kernel/match/prove.ts";
import { ShippedVmlinux } from "../src/subject/kernel/match/shipped-vmlinux.ts";
import { compiled } from "./s390x/compiled.ts";
import { fetched } from "./s390x/packages.ts";
import { COMPILER, prepared } from "./s390x/tree.ts";

/** Of different parts, all in vmlinux: small ones and large ones, with jump labels, exception tables and alternatives. */
const FILES = (
  "fs/proc/cmdline.c fs/proc/meminfo.c fs/proc/stat.c fs/proc/base.c fs/exec.c fs/namei.c fs/open.c " +
  "kernel/fork.c kernel/exit.c kernel/signal.c kernel/sys.c kernel/sched/core.c kernel/time/timer.c kernel/futex/core.c " +
  "mm/mmap.c mm/page_alloc.c net/core/dev.c net/ipv4/tcp_input.c lib/string_helpers.c arch/s390/kernel/ptrace.c"
).split(" ");

export interface S390xResults {
  readonly release: string;
  readonly version: string;
  readonly files: number;
  /** Functions that are the shipped ones, byte for byte. */
  readonly proved: number;
  /** Of the objects, and not in what ships: overridden weak ones, or folded away. */
  readonly absent: number;
  /** By name and reason. */
  readonly differing: readonly string[];
}

const cache = new Cache();
const directory = join(cache.directory, "bench", "s390x");
mkdirSync(directory, { recursive: true });
const packages = await fetched(directory);
const kernel = await prepared(directory, packages);
const kbuild = await openKbuild(kernel.tree, COMPILER);
using shipped = new ShippedVmlinux(kernel.vmlinux, await readFile(kernel.symbols), "");
const files = process.argv.length > 2 ? process.argv.slice(2) : FILES;
const differing: string[] = [];
let proved = 0;
let absent = 0;
for (const file of files) {
  const unit = async (isPlain: boolean) => readUnit(readElf(await compiled(kbuild, file, isPlain), file), {});
  const { record } = await proveUnit(file, await unit(false), shipped, async () => await unit(true));
  process.stdout.write(`${file}: ${record.proved} proved, absent: ${record.absent.join(" ") || "none"}\n`);
  for (const { name, reason } of record.differing) process.stdout.write(`  ${name} ${reason}\n`);
  proved += record.proved;
  absent += record.absent.length;
  differing.push(...record.differing.map(({ name, reason }) => `${file}: ${name} ${reason}`));
}
const { release, version } = packages;
const results: S390xResults = { release, version, files: files.length, proved, absent, differing };
process.stdout.write(
  `${proved} functions of ${files.length} files proved equal, ${absent} not in what ships, ${differing.length} differ\n`,
);
if (process.argv.length === 2)
  writeFileSync(new URL("./results/s390x.json", import.meta.url), `${JSON.stringify(results, undefined, 2)}\n`);
process.exitCode = differing.length === 0 ? 0 : 1;
