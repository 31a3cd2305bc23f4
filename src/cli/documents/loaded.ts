/** What `list`, `info` and the verbs say of what is loaded. */
import * as v from "valibot";
import { count, problem } from "./problem.ts";
import { signedBy } from "./trust.ts";

const range = v.object({ start: count, end: count });

/** What a process has of a livepatch for one executable or library. */
const placed = v.object({
  name: v.string(),
  path: v.string(),
  buildId: v.string(),
  start: count,
  file: v.string(),
  executable: range,
  writable: v.optional(range),
  frames: v.optional(range),
  takeBack: v.optional(count),
  isTold: v.optional(count),
  funcs: v.array(v.object({ name: v.string(), sympos: count, source: v.string(), why: v.string() })),
  relies: v.array(v.object({ source: v.string(), name: v.string() })),
});

const processPatch = v.object({
  name: v.string(),
  enabled: v.boolean(),
  transition: v.optional(v.picklist(["patching", "unpatching"])),
  forced: v.boolean(),
  replacedBy: v.optional(v.string()),
  objects: v.array(v.string()),
  absent: v.array(v.string()),
  /** As `object:function,position`. */
  funcs: v.array(v.string()),
  replace: v.boolean(),
  states: v.array(v.object({ id: count, version: count })),
  /** Package and version. */
  of: v.optional(v.string()),
  /** SHA-256 of the livepatch file. */
  digest: v.optional(v.string()),
  placed: v.optional(v.array(placed)),
});

/** Unloaded, and in memory still, since something may have addresses of it. */
const kept = v.object({ name: v.string(), digest: v.string(), of: v.string(), placed: v.array(placed) });

const holder = v.object({
  tid: count,
  name: v.string(),
  why: v.string(),
  help: v.optional(v.string()),
  /** The patched function that it has to leave. */
  inside: v.optional(v.object({ object: v.string(), name: v.string() })),
});

const kernelHolder = v.object({
  ...holder.entries,
  pid: count,
  isKernelThread: v.boolean(),
  doing: v.picklist(["running", "sleeping", "uninterruptible", "stopped"]),
  stack: v.array(v.string()),
});

const kernelPatch = v.object({
  name: v.string(),
  state: v.picklist(["enabled", "enabling", "disabling", "disabled"]),
  stays: v.boolean(),
  size: v.optional(count),
  objects: v.array(
    v.object({
      name: v.string(),
      patched: v.optional(v.boolean()),
      funcs: v.array(v.object({ name: v.string(), sympos: count })),
    }),
  ),
  holders: v.array(kernelHolder),
  /** Later livepatches of some of the same functions: what runs of those is theirs. */
  under: v.optional(v.array(v.object({ patch: v.string(), funcs: v.array(v.string()) }))),
});

const kernel = v.object({ name: v.string(), patches: v.array(kernelPatch) });

/** A process in which a newer suture has loaded something: docs/versions.md. */
export const newer = v.object({
  pid: count,
  name: v.string(),
  version: count,
  known: count,
  tool: v.optional(v.string()),
  patches: v.array(v.string()),
});

/** What the running kernel and all processes have loaded, as far as this user can see. */
export const listDocument = v.object({
  kernel,
  processes: v.array(v.object({ pid: count, name: v.string(), patches: v.array(processPatch), kept: v.array(kept) })),
  newer: v.array(newer),
  damaged: v.array(v.object({ pid: count, code: v.string(), what: v.string() })),
  /** How many processes this user may not look into. */
  hidden: count,
});

/** The same of one patch: only processes that have it, and the kernel's patches of its name. */
export const infoDocument = v.object({
  kernel,
  processes: v.array(v.object({ pid: count, name: v.string(), patches: v.array(processPatch) })),
  newer: v.array(newer),
});

/** Microseconds. */
const time = v.pipe(v.number(), v.minValue(0));

const cost = v.object({
  mapping: v.optional(v.object({ tid: count, stoppedUs: time })),
  stopsUs: v.array(time),
  tries: count,
  threads: count,
  single: v.array(v.object({ tid: count, stops: count, stoppedUs: time })),
});

/** What a verb did in the kernel, where there is no pid, or in one process. */
export const verbResult = v.object({
  pid: v.optional(count),
  name: v.string(),
  outcome: v.picklist(["done", "unchanged", "refused", "reversed", "pending", "failed"]),
  problems: v.array(problem),
  notes: v.array(v.string()),
  /** Of the kernel, with what it tells of them. */
  holders: v.array(v.union([kernelHolder, holder])),
  cost: v.optional(cost),
  kept: v.optional(count),
});

/** What became of an installed livepatch that was to be loaded. */
export const installedResult = v.object({
  name: v.string(),
  target: v.string(),
  state: v.picklist(["loaded", "unchanged", "refused", "other-kernel", "left-out"]),
  results: v.array(verbResult),
  why: v.optional(v.string()),
});

/**
 * What became of a verb in each target: the `VerbResult` of each. Of a file that the machine's
 * administrator does not let in there is one, with the file's path as its name.
 */
export const verbDocument = v.object({
  patch: v.string(),
  results: v.array(verbResult),
  hidden: count,
  /** Of `load --all`, which is about several: what became of each. */
  installed: v.optional(v.array(installedResult)),
  /** Of a livepatch that comes as a file, where it is signed: by whom. */
  signedBy: v.optional(signedBy),
  /** Of `unload --all`, the same. */
  unloaded: v.optional(v.array(v.object({ patch: v.string(), results: v.array(verbResult) }))),
});
