/** The whole state of the core, as it is kept inside the patched system (`Change.record`), and its way to JSON and back. */
import * as v from "valibot";
import { SutureError } from "../lib/error.ts";
import { checkFormat, keeping } from "../lib/format.ts";
import { jsonIfAny } from "../lib/if-there.ts";
import type { Patch } from "./patch.ts";

/** Where addresses end is the machine's to know: here they are numbers that are exact. */
const address = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const entry = v.exactOptional(address);
/** What is remembered lies in the patched system, which may have written over it: no list and no range is longer than a patch can be. */
const MOST_PATCHES = 256;
const MOST_OBJECTS = 256;
const MOST_RANGES = 1 << 12;
const MOST_BYTES = 128 << 20;
const range = v.pipe(
  keeping({ start: address, end: address }),
  v.check(({ start, end }) => start <= end && end - start <= MOST_BYTES, "a range that is none"),
);
const ranges = v.pipe(v.array(range), v.maxLength(MOST_RANGES));
const code = keeping({ entry: address, ranges });
const func = keeping({ site: keeping({ id: v.string(), original: code }), code });

const object = keeping({
  name: v.string(),
  funcs: v.array(func),
  callbacks: keeping({ pre_patch: entry, post_patch: entry, pre_unpatch: entry, post_unpatch: entry }),
  code: ranges,
});

const loadedPatch = keeping({
  name: v.string(),
  replace: v.boolean(),
  states: v.array(keeping({ id: v.number(), version: v.number() })),
  objects: v.pipe(v.array(object), v.maxLength(MOST_OBJECTS)),
  absent: v.array(v.string()),
  forced: v.boolean(),
  replacedBy: v.exactOptional(v.string()),
});

const layers = v.pipe(
  v.array(keeping({ patch: v.string(), objects: v.pipe(v.array(v.string()), v.maxLength(MOST_OBJECTS)) })),
  v.maxLength(MOST_PATCHES),
);

const transition = keeping({
  patch: v.string(),
  objects: v.array(v.string()),
  kind: v.picklist(["patch", "unpatch"]),
  from: layers,
  to: layers,
  phase: v.picklist(["before", "moving", "after"]),
  reversed: v.boolean(),
  loading: v.boolean(),
  called: v.array(v.string()),
  begun: v.exactOptional(v.array(v.string())),
});

/** Of the core's part of the record: docs/versions.md says when it is raised. */
export const CORE_RECORD_VERSION = 1;

const record = keeping({
  version: v.literal(CORE_RECORD_VERSION),
  patches: v.pipe(v.array(loadedPatch), v.maxLength(MOST_PATCHES)),
  layers,
  transition: v.exactOptional(transition),
});

/** Objects of an enabled patch that are in effect. Layers lie in the order in which patches were enabled, the last on top. */
export interface Layer {
  readonly patch: string;
  readonly objects: readonly string[];
}

/** A patch that the system holds the code of, whether it is in effect or not. */
export interface LoadedPatch extends Patch {
  /** A transition away from it was forced: tasks may still be inside its code, for ever. */
  readonly forced: boolean;
  /** The patch with `replace` that took its place. */
  readonly replacedBy?: string;
}

/**
 * A transition that has not ended.
 *
 * `before`: callbacks before it may have run, no hook has changed. `moving`: some
 * tasks may be in the universe of `from` and some in that of `to`. `after`: all
 * have arrived, callbacks after it may have run.
 */
export interface TransitionRecord {
  /** What is patched or unpatched: of this patch, these objects. */
  readonly patch: string;
  readonly objects: readonly string[];
  readonly kind: "patch" | "unpatch";
  readonly from: readonly Layer[];
  readonly to: readonly Layer[];
  readonly phase: "before" | "moving" | "after";
  /** On the way back to `from`: what is behind is in the universe of `to`. */
  readonly reversed: boolean;
  /** The patch, or these objects of it, are new: where the transition ends reversed, they are forgotten. */
  readonly loading: boolean;
  /** Objects whose callback of this phase has returned. */
  readonly called: readonly string[];
  /** Given up before a hook changed: the objects that callbacks had been run for by then. */
  readonly begun?: readonly string[];
}

/**
 * All that the core knows, so that another `Core` can go on from it. `layers` tell what
 * tasks run when no transition is pending.
 */
export interface CoreRecord {
  readonly version: typeof CORE_RECORD_VERSION;
  readonly patches: readonly LoadedPatch[];
  /** What is in effect; during a transition what was before it, after it what all tasks have arrived at. */
  readonly layers: readonly Layer[];
  readonly transition?: TransitionRecord;
}

const MOST_SHOWN = 200;

/** Of a system that has never been patched. */
export const EMPTY_RECORD: CoreRecord = { version: CORE_RECORD_VERSION, patches: [], layers: [] };

/** JSON, in one line, that `decodeRecord` reads back to an equal record. */
export function encodeRecord(value: CoreRecord): string {
  return JSON.stringify(value);
}

/** The record as it was found in the system, which may have damaged it. Throws `CORE_RECORD_CORRUPT`, and `NEWER_FORMAT`. */
export function decodeRecord(text: string): CoreRecord {
  const json = jsonIfAny(text);
  checkFormat(json, CORE_RECORD_VERSION, "what the system remembers of its patches", undefined);
  const parsed = v.safeParse(record, json, { abortEarly: true });
  if (!parsed.success) throw corrupt(v.summarize(parsed.issues).slice(0, MOST_SHOWN));
  const found: CoreRecord = parsed.output;
  const names = new Set(found.patches.map((patch) => patch.name));
  const { transition: pending } = found;
  const named = [...found.layers, ...(pending === undefined ? [] : [...pending.from, ...pending.to, pending])];
  const unknown = named.find((each) => !names.has(each.patch));
  if (unknown !== undefined) throw corrupt(`patch ${unknown.patch} is in effect and not described`);
  return found;
}

function corrupt(what: string): SutureError {
  return new SutureError("CORE_RECORD_CORRUPT", `what the system remembers of its patches is damaged: ${what}`, {
    hint: "nothing was changed; only a new start of the program is safe now",
  });
}
