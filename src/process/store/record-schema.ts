/** What a control mapping's record holds: what is read from another process's memory has to have this form. */
import * as v from "valibot";
import { keeping } from "../../lib/format.ts";
import { nativeLoad } from "../os/native.ts";
import type { Json } from "./json.ts";

const address = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.check((value) => value <= nativeLoad().addressEnd, "no address of a program"),
);
const hex = v.pipe(v.string(), v.maxLength(128), v.regex(/^([0-9a-f]{2})*$/));
/** What is remembered is read from another process's memory: no list in it is longer than what we would write. */
const MOST_AREAS = 256;
const MOST_BLOCKED = 1 << 14;
const version = v.union([v.literal("original"), address]);
const hook = v.variant("kind", [
  keeping({ kind: v.literal("direct"), to: version }),
  keeping({ kind: v.literal("choose"), behind: version, ahead: version }),
]);

/** Of a control mapping's record: docs/versions.md says when it is raised. */
export const CONTROL_RECORD_VERSION = 1;

/** A function that has or had a hook; what a newer version has added to it is kept. */
export const siteSchema = keeping({
  id: v.string(),
  entry: address,
  hookAt: address,
  /** The displaced bytes of the original, from `hookAt` on. */
  original: hex,
  instructions: v.pipe(
    v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(64))),
    v.minLength(1),
    v.maxLength(64),
  ),
  fallsThrough: v.boolean(),
  trampoline: address,
  hook,
  /** The stub of a site that chooses. */
  stub: v.optional(address),
  /** The bytes of a hook at `hookAt` once a change is through. */
  final: hex,
});

/** Memory for stubs, from its start on, and for trampolines, which grow down from its end. */
export const areaSchema = keeping({
  start: address,
  end: address,
  /** Where the next batch of stubs goes. */
  cursor: address,
  /** The lowest trampoline. */
  floor: address,
  /** What was in use when the cursor went back to the start, so that stacks may refer to it. */
  blocked: v.pipe(v.array(keeping({ start: address, end: address })), v.maxLength(MOST_BLOCKED)),
});

/** A whole record; what a newer version has added to it is kept. */
export const recordSchema = keeping({
  version: v.literal(CONTROL_RECORD_VERSION),
  /** Who wrote it last, for instance `suture 0.1.0`. */
  tool: v.optional(v.string()),
  number: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** The table in use, and the logarithm of its size. */
  table: v.union([v.literal(0), v.literal(1)]),
  bits: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(14)),
  sites: v.array(siteSchema),
  areas: v.pipe(v.array(areaSchema), v.maxLength(MOST_AREAS)),
  /** Whether this change is one write to one entry, which happens before the generation is written. */
  alone: v.optional(v.string()),
  core: v.optional(v.string()),
  extra: v.optional(v.any()),
});

/** A function that has or had a hook; its bytes are hexadecimal. */
export type SiteRecord = v.InferOutput<typeof siteSchema>;
/** A mapping of ours for stubs and trampolines. */
export type AreaRecord = v.InferOutput<typeof areaSchema>;
/** What lies in a slot: hooks and areas, and the core's and the target's parts, which are not looked into here. */
export type ControlRecord = Omit<v.InferOutput<typeof recordSchema>, "extra"> & { readonly extra?: Json | undefined };
