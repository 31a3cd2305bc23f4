/**
 * Who else has hold of the functions that a livepatch patches, and what the kernel makes
 * of that. Source of the rules: __ftrace_hash_update_ipmodify and register_ftrace_function
 * in the kernel's kernel/trace/ftrace.c, and include/suture/switch.c.
 */
import type { LivepatchFile } from "../../patch/livepatch-file.ts";
import type { FuncRecord } from "../../patch/metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import { isFtraceOn, type Kprobe, readKprobes, readTracedFunctions, type TracedFunction } from "./probes.ts";
import { readPatches, type SysfsPatch } from "./sysfs.ts";

/** What is in the way, and what a reader should know. */
export interface EntryUsers {
  readonly problems: readonly Refusal[];
  readonly notes: readonly string[];
}

interface Seen {
  readonly patches: readonly SysfsPatch[];
  readonly kprobes: readonly Kprobe[] | undefined;
  readonly traced: readonly TracedFunction[] | undefined;
}

interface Patched {
  readonly object: string;
  readonly func: FuncRecord;
}

/** Of a livepatch that suture made, which alone says what it patches. `root` is the root of the file system. */
export async function entryUsers(root: string, { metadata, name }: LivepatchFile): Promise<EntryUsers> {
  const patched = (metadata?.objects ?? []).flatMap((object) =>
    object.funcs.map((func): Patched => ({ object: object.name, func })),
  );
  if (patched.length === 0) return { problems: [], notes: [] };
  const [patches, kprobes, traced] = await Promise.all([
    readPatches(root),
    readKprobes(root),
    readTracedFunctions(root),
  ]);
  const others = patches.filter((patch) => patch.name !== name);
  const seen: Seen = { patches: others, kprobes, traced };
  const found = patched.map((each) => usersOf(each, seen, metadata?.replace === true));
  return {
    problems: [...(await ftraceOff(root, patched)), ...found.flatMap(({ problems }) => problems)],
    notes: [...new Set([...found.flatMap(({ notes }) => notes), ...notLookedAt(seen)])],
  };
}

async function ftraceOff(root: string, patched: readonly Patched[]): Promise<Refusal[]> {
  if (patched.every(({ func }) => func.by === "switch") || (await isFtraceOn(root)) !== false) return [];
  const what = "ftrace is switched off, by which the kernel redirects functions";
  return [refusal("FTRACE_OFF", what, "kernel.ftrace_enabled is 0", "sysctl kernel.ftrace_enabled=1")];
}

function usersOf(
  { object, func }: Patched,
  { patches, kprobes = [], traced = [] }: Seen,
  replace: boolean,
): EntryUsers {
  const { name } = func;
  const below = patches.filter((patch) => hasFunc(patch, object, name)).map((patch) => patch.name);
  const probes = kprobes.filter((probe) => probe.symbol === name && probe.object === object);
  const [tracer] = traced.filter((each) => each.name === name && each.object === object);
  if (func.by === "switch") return usersOfSwitched({ object, func }, below, probes);
  const problems: Refusal[] = [];
  const unsure: string[] = [];
  // ftrace's list has names alone.
  if (tracer?.isRedirected === true && below.length === 0 && func.sympos !== 0)
    unsure.push(`one of the functions called ${name} is taken by something that sends its callers elsewhere`);
  else if (tracer?.isRedirected === true && below.length === 0) {
    const by = probes.some(({ isByFtrace }) => isByFtrace)
      ? "a kprobe with a post-handler"
      : "another tool, which sends its callers elsewhere";
    problems.push(
      taken(
        { object, func },
        by,
        "take that away first: /sys/kernel/debug/kprobes/list and /sys/kernel/tracing/enabled_functions tell of it",
      ),
    );
  }
  const notes = [
    ...unsure,
    ...(below.length > 0 && !replace
      ? [
          `${name} is patched by ${below.join(", ")} already: the new version lies on top, and that one is back when it goes`,
        ]
      : []),
    ...(tracer?.isDirect === true ? [`a BPF program, or another trampoline, is attached to ${name}: it goes on`] : []),
    ...probes.map((probe) => probeNote(probe)),
  ];
  return { problems, notes };
}

/** The entry is written over, by a jump. */
function usersOfSwitched({ object, func }: Patched, below: readonly string[], probes: readonly Kprobe[]): EntryUsers {
  const [patch] = below;
  if (patch !== undefined)
    return {
      problems: [taken({ object, func }, `the livepatch ${patch}`, `disable that first: suture disable ${patch}`)],
      notes: [],
    };
  const hook = func.original?.hook ?? 0;
  const [atEntry] = probes.filter(({ offset }) => offset <= hook + ENTRY);
  if (atEntry === undefined) return { problems: [], notes: probes.map(probeNote) };
  const what = `a kprobe at ${func.name}+0x${atEntry.offset.toString(16)}`;
  return { problems: [taken({ object, func }, what, "take the probe away first")], notes: [] };
}

/** Bytes of a hook and of the jump behind it, at most. */
const ENTRY = 10;

function probeNote({ symbol, offset, isByFtrace }: Kprobe): string {
  const at = `the kprobe at ${symbol}+0x${offset.toString(16)}`;
  return isByFtrace
    ? `${at} goes on: it is called before the new version`
    : `${at} lies in the code that is not run any more: it tells of nothing until the livepatch goes`;
}

function hasFunc({ objects }: SysfsPatch, object: string, name: string): boolean {
  return objects.some((each) => each.name === object && each.funcs.some((func) => func.name === name));
}

function taken({ object, func }: Patched, by: string, hint: string): Refusal {
  return refusal("FUNCTION_TAKEN", `${func.name} of ${object} is taken by ${by}`, func.name, hint);
}

function notLookedAt({ kprobes, traced }: Seen): string[] {
  return [
    ...(kprobes === undefined ? ["probes are not looked for: debugfs is not mounted, or not to be read"] : []),
    ...(traced === undefined ? ["tracers are not looked for: tracefs is not mounted, or not to be read"] : []),
  ];
}
