/**
 * Brings a livepatch's parts into a process and takes them out. What is placed
 * is written into the process's own record before it is mapped, and leaves it
 * after it is unmapped: after any interruption it can be told what is there.
 */
import type { CodeRange } from "../../core/machine.ts";
import type { Refusal } from "../../patch/refusal.ts";
import { noRoom } from "../hooks/room.ts";
import type { LoadedObject } from "../maps/loaded-object.ts";
import type { Mapping } from "../os/mappings.ts";
import { asJson, type LoadedPart, type LoadedPatch, type LoadRecord } from "../store/load-record.ts";
import type { BoundObject } from "./bind.ts";
import type { ProgramLivepatch } from "./livepatch.ts";
import type { PatchedProcess } from "./patched-process.ts";
import { SHADOWS_SIZE, usesShadows } from "./place.ts";
import type { PreparedObject } from "./prepare.ts";

type Target = Pick<
  PatchedProcess,
  "saveTargetPart" | "map" | "unmap" | "read" | "write" | "registerCode" | "forgetCode" | "room"
>;

/** Where the process's shadow variables are, or would be; undefined for a livepatch that has none. */
export function shadowsFor(
  livepatch: ProgramLivepatch,
  { elf, path }: LoadedObject,
  record: LoadRecord,
  process: Pick<PatchedProcess, "room">,
): CodeRange | Refusal | undefined {
  if (record.shadows !== undefined || !livepatch.objects.some(usesShadows)) return record.shadows;
  return process.room({ start: elf.start, end: elf.end }, SHADOWS_SIZE) ?? noRoom(elf, SHADOWS_SIZE, path);
}

/**
 * Places parts of a patch, which may have others already. @returns the record
 * that the process has now; undefined where it has mapped something there meanwhile,
 * and what was placed has to be taken away
 */
export function placePatch(
  process: Target,
  record: LoadRecord,
  livepatch: ProgramLivepatch,
  { objects, shadows }: { readonly objects: readonly PreparedObject[]; readonly shadows: CodeRange | undefined },
): LoadRecord | undefined {
  const before = record.patches.find(({ name }) => name === livepatch.name);
  const patch = loadedPatch(livepatch, objects, before);
  const next: LoadRecord = {
    ...record,
    ...(shadows === undefined ? {} : { shadows: { start: shadows.start, end: shadows.end } }),
    patches: [...record.patches.filter((each) => each !== before), patch],
    ...keptWithout(record, objects),
  };
  process.saveTargetPart(asJson(next));
  const isNew = shadows !== undefined && record.shadows === undefined;
  if (isNew && !process.map({ ...shadows, protection: "rw-" })) return undefined;
  const parts = patch.objects.slice(before?.objects.length ?? 0);
  for (const [index, { executable, writable, placed, isKept }] of objects.entries()) {
    if (isKept) continue;
    if (!process.map({ ...executable, protection: "r-x" })) return undefined;
    process.write(executable.start, placed.executable);
    if (writable !== undefined) {
      if (!process.map({ ...writable, protection: "rw-" })) return undefined;
      process.write(writable.start, placed.writable);
    }
    registerPart(process, patch.name, parts[index] as LoadedPart);
  }
  return next;
}

/** What stays kept once parts are in use again. */
function keptWithout({ kept = [] }: LoadRecord, objects: readonly PreparedObject[]): Pick<LoadRecord, "kept"> {
  const isUsed = ({ executable }: LoadedPart): boolean =>
    objects.some((each) => each.isKept && each.executable.start === executable.start);
  const rest = kept
    .map((patch) => ({ ...patch, objects: patch.objects.filter((part) => !isUsed(part)) }))
    .filter((patch) => patch.objects.length > 0);
  return rest.length === 0 ? { kept: undefined } : { kept: rest };
}

/** The part of an unloaded livepatch that is mapped still, and is this file's for this object. */
export function keptPart(
  { kept = [] }: LoadRecord,
  digest: string,
  { part, loaded }: BoundObject,
  mappings: readonly Mapping[],
): LoadedPart | undefined {
  const parts = kept.filter((each) => each.digest === digest).flatMap(({ objects }) => objects);
  return parts.find(
    ({ name, buildId, start, file, executable, writable }) =>
      name === part.record.name &&
      buildId === part.record.buildId &&
      start === loaded.elf.start &&
      file === loaded.file &&
      isOurs(executable, mappings, true) &&
      (writable === undefined || isOurs(writable, mappings, false)),
  );
}

/** What is remembered has to fit into the record; memory that is forgotten stays mapped all the same. */
const MOST_KEPT = 32;

/** Takes a part for one of an unloaded livepatch, and leaves it mapped. @returns the record that the process has now */
export function keepPart(process: Target, record: LoadRecord, patch: LoadedPatch, part: LoadedPart): LoadRecord {
  const kept = { ...patch, objects: [{ ...part, funcs: [] }] };
  const next = { ...withoutPart(record, patch, part), kept: [...(record.kept ?? []), kept].slice(-MOST_KEPT) };
  process.saveTargetPart(asJson(next));
  return next;
}

function withoutPart(record: LoadRecord, patch: LoadedPatch, part: LoadedPart): LoadRecord {
  const patches = record.patches.map((each) =>
    each.name === patch.name ? { ...each, objects: each.objects.filter(({ name }) => name !== part.name) } : each,
  );
  return { ...record, patches };
}

/** Makes the new code of a part known to the unwinder. */
export function registerPart(
  process: Pick<Target, "registerCode" | "read">,
  name: string,
  { executable, frames }: LoadedPart,
): void {
  const bytes = frames && { address: frames.start, bytes: process.read(frames.start, frames.end - frames.start) };
  process.registerCode({ range: executable, frames: bytes, name });
}

/**
 * Unmaps what a patch has there for an object, as far as it is there, and
 * forgets it; with its last part the patch. No task may be in it. @returns the
 * record that the process has now
 */
export function removePart(
  process: Target,
  record: LoadRecord,
  { patch, part }: { readonly patch: LoadedPatch; readonly part: LoadedPart },
  mappings: readonly Mapping[],
): LoadRecord {
  const { executable, writable } = part;
  if (isOurs(executable, mappings, true)) {
    process.forgetCode(executable);
    process.unmap(executable);
  }
  if (writable !== undefined && isOurs(writable, mappings, false)) process.unmap(writable);
  const next = withoutPart(record, patch, part);
  process.saveTargetPart(asJson(next));
  return next;
}

/** After an interruption some of it may be gone, and its place may be in other use. */
export function isOurs(range: CodeRange, mappings: readonly Mapping[], isCode: boolean): boolean {
  return mappings.some(
    ({ start, end, inode, readable, writable, executable }) =>
      start <= range.start &&
      end >= range.end &&
      inode === 0 &&
      readable &&
      writable === !isCode &&
      executable === isCode,
  );
}

function loadedPatch(
  livepatch: ProgramLivepatch,
  objects: readonly PreparedObject[],
  before: LoadedPatch | undefined,
): LoadedPatch {
  const { program } = livepatch.metadata;
  const name = [program.package, program.version].filter((each) => each !== undefined).join(" ");
  return {
    ...before,
    name: livepatch.name,
    digest: livepatch.digest,
    of: name === "" ? objects.map(({ bound }) => bound.part.record.name).join(", ") : name,
    objects: [...(before?.objects ?? []), ...objects.map(loadedPart)],
    ...(livepatch.metadata.stays.length > 0 ? { stays: true } : {}),
  };
}

function loadedPart({ bound, executable, writable, placed }: PreparedObject): LoadedPart {
  const { part, loaded } = bound;
  const { frames, unwinding } = placed;
  return {
    name: part.record.name,
    path: loaded.path,
    buildId: part.record.buildId,
    start: loaded.elf.start,
    file: loaded.file,
    executable: { ...executable },
    ...(writable === undefined ? {} : { writable: { ...writable } }),
    ...(frames === undefined ? {} : { frames: { start: frames.address, end: frames.address + frames.data.length } }),
    ...(unwinding === undefined ? {} : { takeBack: unwinding.takeBack, isTold: unwinding.isTold }),
    funcs: part.record.funcs.map(({ name, sympos, source, why }) => ({ name, sympos, source, why })),
    relies: (part.record.relies ?? []).map(({ source, name }) => ({ source, name })),
  };
}
