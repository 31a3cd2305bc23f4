/** All that loading a livepatch will do in a process, and all reasons not to, before anything is touched. */

import { describeSite } from "../../core/holder.ts";
import type { CodeRange, Site } from "../../core/machine.ts";
import type { Patch } from "../../core/patch.ts";
import { isRefusal, type Refusal, refusal } from "../../patch/refusal.ts";
import type { BoundObject } from "../../process/loader/bind.ts";
import type { ProgramLivepatch } from "../../process/loader/livepatch.ts";
import type { PatchedProcess } from "../../process/loader/patched-process.ts";
import { keptPart, shadowsFor } from "../../process/loader/placing.ts";
import { type PreparedFunc, type PreparedObject, prepareObject } from "../../process/loader/prepare.ts";
import { mappedBytes } from "../../process/maps/mapped-bytes.ts";
import type { ProcessView } from "../../process/maps/process-view.ts";
import type { LoadRecord } from "../../process/store/load-record.ts";
import { takenEntry } from "./entry-breakpoint.ts";
import { livepatchRefusals } from "./preflight.ts";
import { relianceRefusals } from "./reliance.ts";

/** Where everything would go, which is nowhere yet. Of one that has `refusals` nothing else counts. */
export interface Plan {
  readonly refusals: readonly Refusal[];
  readonly objects: readonly PreparedObject[];
  readonly sites: readonly { readonly site: Site; readonly paddingEnd: number | undefined }[];
  readonly shadows: CodeRange | undefined;
  /** Where all of that will be mapped. */
  readonly rooms: readonly CodeRange[];
  /** As the core takes it. */
  readonly patch: Patch;
}

/** What planning asks of a process; nothing of that changes it. */
export type Examined = Pick<PatchedProcess, "room" | "isHooked" | "examineSite">;

/**
 * What loading would map and hook, and all that speaks against it. Reads the process and
 * changes nothing in it; what is free now may be taken when the plan is carried out.
 * `bound` are the livepatch's parts for objects that the process has loaded.
 */
export function planFor(
  livepatch: ProgramLivepatch,
  bound: readonly BoundObject[],
  view: ProcessView,
  { process, record }: { readonly process: Examined; readonly record: LoadRecord },
): Plan {
  const refusals = livepatchRefusals(view, bound);
  if (!livepatch.metadata.replace) {
    const parts = bound.map(({ part }) => part.record);
    refusals.push(...relianceRefusals({ name: livepatch.name, objects: parts }, record.patches));
  }
  const objects: PreparedObject[] = [];
  const [first] = bound;
  const found = first && shadowsFor(livepatch, first.loaded, record, process);
  if (isRefusal(found)) refusals.push(found);
  const shadows = isRefusal(found) ? undefined : found;
  const taken: CodeRange[] = shadows === undefined || record.shadows !== undefined ? [] : [shadows];
  for (const each of bound) {
    const kept = keptPart(record, livepatch.digest, each, view.mappings);
    const prepared = prepareObject(each, view, process, { taken, shadows: shadows?.start ?? 0, kept });
    if (isRefusal(prepared)) {
      refusals.push(prepared);
      continue;
    }
    objects.push(prepared);
    if (!prepared.isKept)
      taken.push({ start: prepared.executable.start, end: (prepared.writable ?? prepared.executable).end });
    refusals.push(...prepared.funcs.flatMap((func) => refusalsOf(func, each, process, view)));
  }
  const isBound = (name: string): boolean => bound.some(({ part }) => part.record.name === name);
  return {
    refusals,
    objects,
    sites: objects.flatMap(({ funcs }) => funcs.map(({ site, paddingEnd }) => ({ site, paddingEnd }))),
    shadows,
    rooms: taken,
    patch: {
      name: livepatch.name,
      replace: livepatch.metadata.replace,
      states: livepatch.metadata.states,
      objects: objects.map(({ bound: { part }, funcs, callbacks, placed }) => ({
        name: part.record.name,
        funcs: funcs.map(({ site, patched }) => ({ site, code: patched })),
        callbacks,
        code: placed.code,
      })),
      absent: livepatch.objects.map(({ record: { name } }) => name).filter((name) => !isBound(name)),
    },
  };
}

function refusalsOf(
  { site, paddingEnd }: PreparedFunc,
  { loaded, part }: BoundObject,
  process: Examined,
  view: ProcessView,
): Refusal[] {
  const fileBytes = (address: number, size: number): Buffer | undefined => mappedBytes(view, address, size);
  const refused = process.isHooked(site)
    ? undefined
    : (takenEntry(site, view.read, fileBytes) ?? process.examineSite(site, paddingEnd));
  const found = refused === undefined ? [] : [refused];
  const isMain =
    loaded.isExecutable &&
    part.record.funcs.some(({ name, address }) => name === "main" && loaded.elf.bias + address === site.original.entry);
  if (!isMain) return found;
  return [...found, neverReturns(site, loaded.path)];
}

/** Of what a program or a thread was started with. */
export function neverReturns({ id }: Site, where: string): Refusal {
  return refusal(
    "NEVER_RETURNS",
    `${describeSite(id)} is what the program or a thread was started with: it returns when that ends, and the transition would not end before`,
    where,
    "move the change to a function that it calls, or restart the program with the fixed one",
  );
}
