/**
 * What is remembered in a process of the livepatches that are loaded there: the
 * target's own part of the control mapping's record. It is read from another
 * process's memory, so it is not trusted.
 */
import * as v from "valibot";
import { SutureError } from "../../lib/error.ts";
import { checkFormat, keeping } from "../../lib/format.ts";
import { nativeLoad } from "../os/native.ts";
import type { Json } from "./json.ts";

/** Of a part, and how many there may be: what is read from a process is not trusted. */
const MOST_BYTES = 128 << 20;
const MOST_PATCHES = 256;
const MOST_OBJECTS = 256;

const address = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.check((value) => value <= nativeLoad().addressEnd, "no address of a program"),
);
const range = v.pipe(
  keeping({ start: address, end: address }),
  v.check(({ start, end }) => start <= end, "a range that ends before it starts"),
  v.check(({ start, end }) => end - start <= MOST_BYTES, "more memory than a livepatch has"),
);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const func = keeping({
  name: v.string(),
  sympos: count,
  source: v.string(),
  why: v.string(),
});

const isWithin = (inner: { start: number; end: number } | undefined, outer: { start: number; end: number }): boolean =>
  inner === undefined || (inner.start >= outer.start && inner.end <= outer.end);

const object = v.pipe(
  keeping({
    name: v.string(),
    /** Where it was mapped from. */
    path: v.string(),
    buildId: v.string(),
    /** Where its file starts in memory, and which file that is: device and inode. */
    start: address,
    file: v.string(),
    /** What is mapped for it. */
    executable: range,
    writable: v.optional(range),
    /** Within `executable`: call-frame information of the new code. */
    frames: v.optional(range),
    /** Within `executable`: a function that has the program's unwinder forget those. */
    takeBack: v.optional(address),
    /** Within `writable`: a word that says whether it knows them. */
    isTold: v.optional(address),
    funcs: v.array(func),
    /** Functions that are not patched, and on whose code its new code relies. */
    relies: v.optional(v.array(keeping({ source: v.string(), name: v.string() })), []),
  }),
  v.check(({ frames, executable }) => isWithin(frames, executable), "call-frame information outside of its part"),
);
/** Placed, or about to be: only one that the core has, too, is in use. */
const patch = keeping({
  name: v.string(),
  /** SHA-256 of the livepatch file. */
  digest: v.string(),
  /** Package and version, for a reader. */
  of: v.string(),
  objects: v.pipe(v.array(object), v.maxLength(MOST_OBJECTS)),
  /** Whether the program may keep addresses of it, so that its memory stays when it is unloaded. */
  stays: v.optional(v.boolean()),
});

/** Of the target's own part of the record: docs/versions.md says when it is raised. */
export const LOAD_RECORD_VERSION = 1;

const record = keeping({
  version: v.literal(LOAD_RECORD_VERSION),
  /** The process's shadow variables. */
  shadows: v.optional(range),
  patches: v.pipe(v.array(patch), v.maxLength(MOST_PATCHES)),
  /** Unloaded, and mapped still, since something may lead there; the next load of the same file has it again. */
  kept: v.optional(v.pipe(v.array(patch), v.maxLength(MOST_PATCHES))),
});

/** A livepatch's part for one object, where it was placed. */
export type LoadedPart = v.InferOutput<typeof object>;
/** A livepatch with all its parts that were placed in the process. */
export type LoadedPatch = v.InferOutput<typeof patch>;
/** Of the part that the target keeps; which patches are in effect is in the core's record. */
export type LoadRecord = v.InferOutput<typeof record>;

/** Of a process that remembers nothing of any livepatch. */
export const NOTHING_LOADED: LoadRecord = { version: LOAD_RECORD_VERSION, patches: [] };

/** Throws `RECORD_UNREADABLE`, and `NEWER_FORMAT`. */
export function readLoadRecord(json: Json | undefined, where: string): LoadRecord {
  if (json === undefined || json === null) return NOTHING_LOADED;
  checkFormat(json, LOAD_RECORD_VERSION, "what is remembered of the livepatches in the process", where);
  const result = v.safeParse(record, json, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new SutureError(
    "RECORD_UNREADABLE",
    `what is remembered of the livepatches in the process cannot be read: ${v.getDotPath(issue) ?? "it"}: ${issue.message}`,
    { where, hint: "use the version of suture that loaded them" },
  );
}

/** Without the fields that are undefined. */
export function asJson(value: LoadRecord): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
