/** Loads, replaces and unloads of kernel livepatches in a row, in a machine that works meanwhile, and what they leave. */
import { join } from "node:path";
import { archOfHost, vmOf } from "../../src/arch/registry.ts";
import { run } from "../../src/lib/run.ts";
import { type Finding, findingsIn, parseLogLine } from "../../src/rehearse/kernel-log.ts";
import { newestKernel } from "../fixtures/newest-kernel.ts";
import { buildEdits, type Edit } from "../kernel/source-diffs.ts";
import { bundledForGuest, GUEST_NODE, GUEST_SCRIPTS } from "./for-guest.ts";
import type { Machine } from "./machine.ts";

/** An instruction without effect in each of them, on the way of all the work that the machine does. */
const NOP = '\tasm volatile("nop");\n';
const EDITS: readonly Edit[] = [
  [
    "kernel/fork.c",
    "	struct task_struct *p;\n	int trace = 0;\n",
    `	struct task_struct *p;\n	int trace = 0;\n${NOP}`,
  ],
  ["net/ipv4/tcp.c", "	if ((flags & MSG_ZEROCOPY) && size) {\n", `${NOP}	if ((flags & MSG_ZEROCOPY) && size) {\n`],
  [
    "fs/read_write.c",
    "	ssize_t ret;\n\n	if (!(file->f_mode & FMODE_WRITE))",
    `	ssize_t ret;\n${NOP}\n	if (!(file->f_mode & FMODE_WRITE))`,
  ],
];

/** What the machine has at one moment, counted while it works. */
export interface Sample {
  readonly round: number;
  /** From /proc/meminfo, kB. */
  readonly memory: Readonly<Record<string, number>>;
  /** Memory of modules and what is mapped like it: /proc/vmallocinfo, kB and areas. */
  readonly vmalloc: { readonly kB: number; readonly areas: number };
  /** By cache, active objects. */
  readonly slab: Readonly<Record<string, number>>;
  readonly modules: number;
  readonly livepatches: number;
  /** Functions that ftrace has hold of. */
  readonly hooked: number;
  /** Open in the whole machine, and in the process that loads. */
  readonly files: number;
  readonly own: number;
  /** What all processes have mapped, in areas: an object of two caches each. */
  readonly mappings: number;
}

/** What was seen. */
export interface InARow {
  readonly rounds: number;
  /** What did not end as it should, a line each. */
  readonly wrong: readonly string[];
  readonly samples: readonly Sample[];
  /** Milliseconds, by verb, of each round. */
  readonly milliseconds: Readonly<Record<string, readonly number[]>>;
  /** Rounds of work that was done meanwhile, by kind. */
  readonly work: Readonly<Record<string, number>>;
  /** What the kernel had to say beside the notices of patching. */
  readonly findings: readonly Finding[];
}

/** Builds the livepatches and does all of it. @param directory for files */
export async function loadsInARow(machine: Machine, directory: string, rounds: number): Promise<InARow> {
  const kernel = await newestKernel("6.1");
  for (const [name, replaces] of [["first", false] as const, ["second", true] as const]) {
    const built = await buildEdits(kernel, directory, name, EDITS, replaces);
    if (built.kind !== "built") throw new Error(`${name}: ${JSON.stringify(built)}`);
  }
  const at = (name: string): string => join(directory, name);
  await run("gcc", ["-static", "-O1", "-o", at("working"), join(import.meta.dirname, "working.c")], { check: true });
  await bundledForGuest(join(import.meta.dirname, "guest-loads.ts"), at("in-a-row.mjs"));
  const files = ["first.ko", "second.ko", "working", "in-a-row.mjs"];
  await machine.put("/root", Object.fromEntries(files.map((name) => [name, at(name)])));
  await machine.told("mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing");
  // What the clock starts meanwhile stays for a while.
  await machine.told("systemctl stop '*.timer'");
  await machine.told("cd /var/tmp && (/root/working /root/work > /root/working.log 2>&1 &)");
  const said = (await machine.console()).length;
  await machine.told(`mv /root/in-a-row.mjs ${GUEST_SCRIPTS}`);
  await machine.told(`${GUEST_NODE} ${GUEST_SCRIPTS}/in-a-row.mjs ${rounds} /root`);
  // It ends where a piece of work has failed.
  await machine.told("pidof working");
  const log = (await machine.console())
    .slice(said)
    .split("\n")
    .map((line) => parseLogLine(line.trimEnd()));
  const seen = JSON.parse(await machine.told("cat /root/in-a-row.json")) as Omit<InARow, "rounds" | "findings">;
  return { rounds, ...seen, findings: findingsIn(log, vmOf(archOfHost()).faults) };
}

/** Rounds from which on caches are looked at: what works meanwhile has some more objects one time, and fewer another time. */
const ROUNDS_FOR_CACHES = 50;

/**
 * What grew with the rounds: of what is counted one by one, each that there is more of at the end than after the first
 * rounds; of areas and caches, each of which the least in the last third is more than the least in the first third, by one a round.
 */
export function grown({ rounds, samples }: Pick<InARow, "rounds" | "samples">): string[] {
  const [, second, ...later] = samples;
  const last = later.at(-1);
  if (second === undefined || last === undefined) throw new Error("there are too few samples");
  const exact: readonly (readonly [string, (each: Sample) => number])[] = [
    ["modules", (each) => each.modules],
    ["livepatches", (each) => each.livepatches],
    ["functions that ftrace has hold of", (each) => each.hooked],
    ["files of the process that loads", (each) => each.own],
  ];
  const found = exact.flatMap(([what, of]) =>
    of(last) > of(second) ? [`${what}: ${of(second)}, then ${of(last)}`] : [],
  );
  if (rounds < ROUNDS_FOR_CACHES) return found;
  const third = Math.floor(samples.length / 3);
  const [early, late] = [samples.slice(1, 1 + third), samples.slice(-third)];
  const between = (late[0]?.round ?? 0) - (early[0]?.round ?? 0);
  const noisy = (what: string, of: (each: Sample) => number): void => {
    const more = Math.min(...late.map(of)) - Math.min(...early.map(of));
    if (more >= between) found.push(`${what}: ${more} more in ${between} rounds`);
  };
  noisy("areas of vmalloc", ({ vmalloc }) => vmalloc.areas);
  for (const name of Object.keys(last.slab))
    noisy(`slab ${name}`, ({ slab, mappings }) => (slab[name] ?? 0) - (OF_MAPPINGS.has(name) ? mappings : 0));
  return found;
}

/** Caches of which a process has as many objects as mappings. */
const OF_MAPPINGS: ReadonlySet<string> = new Set(["vm_area_struct", "anon_vma_chain"]);
