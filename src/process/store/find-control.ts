/** Reads the control mapping that a process has, and what of a change was left half made in it. */

import { SutureError } from "../../lib/error.ts";
import { checkFormat } from "../../lib/format.ts";
import { nativeHook } from "../os/native.ts";
import { CONTROL_SIZE, ControlLayout, LAYOUT_VERSION, MAGIC, parityOf } from "./control-layout.ts";
import { readSlot, recordIn, type Slot } from "./control-record.ts";
import type { ProcessMemory } from "./memory.ts";
import { CONTROL_RECORD_VERSION, type ControlRecord, type SiteRecord } from "./record-schema.ts";

/** A mapping, as far as a control mapping is told by it. */
export interface ControlCandidate {
  readonly start: number;
  readonly end: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  readonly inode: number;
}

/**
 * What a process's control mapping says: `record` is what the generation says is in
 * force. A change that is one write may have come as far as `pending`.
 */
export interface FoundControl {
  readonly layout: ControlLayout;
  /** undefined where the mapping was made and nothing written yet. */
  readonly record: ControlRecord | undefined;
  /** A record with the next number, written by a change that may have been left half made. */
  readonly pending: ControlRecord | undefined;
}

/** What has to be written to make the entries what the record says; no change of what any call does. */
export interface Repair {
  /** The pending change did happen, with its one write: its record is the true one. */
  readonly adopt: boolean;
  readonly entries: readonly { readonly at: number; readonly bytes: Buffer }[];
}

/** A process that maps more of just that size has something else in mind. */
const MOST_CANDIDATES = 1024;

/**
 * Throws `CONTROL_CORRUPT` where a control mapping has no valid record, and
 * `NEWER_FORMAT` where a newer suture wrote it.
 */
export function findControl(
  mappings: readonly ControlCandidate[],
  memory: Pick<ProcessMemory, "read">,
): FoundControl | undefined {
  const slots = findSlots(mappings, memory);
  return slots && controlIn(slots);
}

/** The same of what was found. */
export function controlIn({ layout, version, current, pending }: FoundSlots): FoundControl {
  const where = `0x${layout.start.toString(16)}`;
  checkFormat({ version }, LAYOUT_VERSION, "the memory in which livepatches are remembered", where);
  if (version === undefined) return { layout, record: undefined, pending: undefined };
  for (const slot of [current, pending])
    checkFormat(slot?.json, CONTROL_RECORD_VERSION, "what is remembered of the livepatches in the process", where);
  const record = current && recordIn(current);
  if (record === undefined)
    throw new SutureError("CONTROL_CORRUPT", "what is loaded in this process cannot be told: its record is damaged", {
      where,
      hint: "restart the program",
    });
  return { layout, record, pending: pending && recordIn(pending) };
}

/** What lies in a control mapping, whichever suture wrote it. */
export interface FoundSlots {
  readonly layout: ControlLayout;
  /** Of the layout; undefined where the mapping was made and nothing written yet. Where it is a newer one, the slots are not known. */
  readonly version: number | undefined;
  /** The one in force. */
  readonly current: Slot | undefined;
  /** With the next number, written by a change that may have been left half made. */
  readonly pending: Slot | undefined;
}

/** Looks at a control mapping as far as any version of it can be told. */
export function findSlots(
  mappings: readonly ControlCandidate[],
  memory: Pick<ProcessMemory, "read">,
): FoundSlots | undefined {
  const begun = mappings
    .filter(isCandidate)
    .slice(0, MOST_CANDIDATES)
    .map(({ start }) => ({ layout: new ControlLayout(start), beginning: memory.read(start, MAGIC.length) }));
  const marked = begun.find(({ beginning }) => layoutVersion(beginning) !== undefined);
  const { layout } = marked ?? begun.find(({ beginning }) => isZero(beginning)) ?? {};
  if (layout === undefined) return undefined;
  const version = marked && layoutVersion(marked.beginning);
  if (version !== LAYOUT_VERSION) return { layout, version, current: undefined, pending: undefined };
  const generation = memory.read(layout.generation, 1)[0] as number;
  const slot = (which: number, isWanted: (number: number) => boolean): Slot | undefined =>
    readSlot((offset, size) => memory.read(layout.slot(parityOf(which)) + offset, size), isWanted);
  const current = slot(generation, (number) => (number & 0xff) === generation);
  const next = (current?.number ?? 0) + 1;
  return { layout, version, current, pending: slot(generation + 1, (number) => number === next) };
}

/** undefined for what is no control mapping. */
function layoutVersion(beginning: Buffer): number | undefined {
  const mark = MAGIC.length - 1;
  return beginning.subarray(0, mark).equals(MAGIC.subarray(0, mark)) ? beginning[mark] : undefined;
}

function isCandidate(mapping: ControlCandidate): boolean {
  const { start, end, readable, writable, executable, inode } = mapping;
  return end - start === CONTROL_SIZE && readable && !writable && !executable && inode === 0;
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

/** The same without sites that are no more. */
export function withSites(found: FoundControl, isMapped: (site: string) => boolean): FoundControl {
  const only = (record: ControlRecord | undefined): ControlRecord | undefined =>
    record && { ...record, sites: record.sites.filter(({ id }) => isMapped(id)) };
  return { ...found, record: only(found.record), pending: only(found.pending) };
}

/**
 * Compares the entries with the records; undefined where nothing is left to do.
 * Only a jump to one of our stubs is ever a thing to repair: what else differs is no
 * work of ours, for instance another library where one was that is no more.
 */
export function findRepair({ record, pending }: FoundControl, memory: Pick<ProcessMemory, "read">): Repair | undefined {
  if (record === undefined) return undefined;
  const changed = pending?.sites.find(({ id }) => id === pending.alone);
  if (changed !== undefined && entryBytes(changed, memory)?.equals(finalOf(changed))) {
    const before = record.sites.find(({ id }) => id === changed.id);
    const was = before === undefined ? originalOf(changed) : finalOf(before);
    if (!was.equals(finalOf(changed))) return { adopt: true, entries: [] };
  }
  const areas = [...record.areas, ...(pending?.areas ?? [])];
  const isHalfway = (site: SiteRecord): boolean => {
    const bytes = entryBytes(site, memory);
    const target = bytes && nativeHook().jumpTarget(site.hookAt, bytes);
    return target !== undefined && areas.some(({ start, floor }) => target >= start && target < floor);
  };
  const known = new Set(record.sites.map(({ id }) => id));
  const entries = record.sites
    .filter((site) => !entryBytes(site, memory)?.equals(finalOf(site)) && isHalfway(site))
    .map((site) => ({ at: site.hookAt, bytes: finalOf(site) }));
  for (const site of pending?.sites ?? []) {
    if (!known.has(site.id) && isHalfway(site)) entries.push({ at: site.hookAt, bytes: originalOf(site) });
  }
  return entries.length === 0 ? undefined : { adopt: false, entries };
}

/** undefined where the memory is no more. */
function entryBytes({ hookAt }: SiteRecord, memory: Pick<ProcessMemory, "read">): Buffer | undefined {
  try {
    return memory.read(hookAt, nativeHook().hookLength);
  } catch {
    return undefined;
  }
}

function finalOf({ final }: SiteRecord): Buffer {
  return Buffer.from(final, "hex");
}

function originalOf({ original }: SiteRecord): Buffer {
  return Buffer.from(original, "hex").subarray(0, nativeHook().hookLength);
}
