/** What a newer suture has loaded in a process, as far as one of any version can be told: that it is there, and its names. */
import * as v from "valibot";
import { CORE_RECORD_VERSION } from "../../core/record.ts";
import { EXIT, SutureError } from "../../lib/error.ts";
import { describeNewer, type NewerFormat, newerFormat } from "../../lib/format.ts";
import { jsonIfAny } from "../../lib/if-there.ts";
import { type OwnRefusal, refusal } from "../../patch/refusal.ts";
import type { ProcessView } from "../../process/maps/process-view.ts";
import { LAYOUT_VERSION } from "../../process/store/control-layout.ts";
import { type FoundSlots, findSlots } from "../../process/store/find-control.ts";
import { LOAD_RECORD_VERSION } from "../../process/store/load-record.ts";
import { CONTROL_RECORD_VERSION } from "../../process/store/record-schema.ts";

/** What is remembered in a process, in a format of which this suture knows only older versions. */
export interface NewerRecord extends NewerFormat {
  /** Of the livepatches; empty where not even those can be told. */
  readonly names: readonly string[];
}

const MOST_PATCHES = 256;
/** In every version: docs/versions.md. */
const named = v.object({ patches: v.pipe(v.array(v.object({ name: v.string() })), v.maxLength(MOST_PATCHES)) });
const parts = v.object({ core: v.optional(v.string()), extra: v.optional(v.unknown()), tool: v.optional(v.string()) });

/** undefined where this suture knows the format, or nothing is loaded. Nothing is stopped and nothing is changed. */
export function newerRecord({ mappings, read }: Pick<ProcessView, "mappings" | "read">): NewerRecord | undefined {
  const slots = findSlots(mappings, { read });
  return slots && newerIn(slots);
}

/** The same of what was found. */
export function newerIn(slots: FoundSlots): NewerRecord | undefined {
  const layout = newerFormat({ version: slots.version }, LAYOUT_VERSION);
  if (layout !== undefined) return { ...layout, names: [] };
  for (const json of [slots.current?.json, slots.pending?.json]) {
    const found = v.safeParse(parts, json);
    const { core, extra, tool } = found.success ? found.output : {};
    const coreJson = jsonIfAny(core ?? "null");
    const newer =
      newerFormat(json, CONTROL_RECORD_VERSION) ??
      newerFormat(coreJson, CORE_RECORD_VERSION) ??
      newerFormat(extra, LOAD_RECORD_VERSION);
    if (newer !== undefined) return { ...newer, tool: newer.tool ?? tool, names: namesIn([coreJson, extra]) };
  }
  return undefined;
}

/** The answer of every verb. */
export function newerRefused(newer: NewerRecord, where: string): OwnRefusal {
  const what = `what is remembered of the livepatches in the process ${describeNewer(newer)}, can list them, and changes nothing there`;
  return refusal("NEWER_FORMAT", what, where, "use the suture that loaded them, or a newer one");
}

/** The same where nothing but an exception leads out of what found it; exit code 2. */
export function newerError(newer: NewerRecord, where: string): SutureError {
  const { what, hint } = newerRefused(newer, where);
  return new SutureError("NEWER_FORMAT", what, { where, hint, exit: EXIT.refused });
}

function namesIn(lists: readonly unknown[]): string[] {
  const names = lists.flatMap((json) => {
    const found = v.safeParse(named, json);
    return found.success ? found.output.patches.map(({ name }) => name) : [];
  });
  return [...new Set(names)];
}
