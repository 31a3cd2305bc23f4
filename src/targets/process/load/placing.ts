/**
 * Brings a livepatch's parts into a process and takes them out. What is placed
 * is written into the process's own record before it is mapped, and leaves it
 * after it is unmapped: after any interruption it can be told what is there.
 */
import type { CodeRange } from "../../../core/machine.ts";
import type { PatchedProcess } from "../patched-process.ts";
import type { Mapping } from "../unwind/mappings.ts";
import type { ProgramLivepatch } from "./livepatch.ts";
import { SHADOWS_SIZE, usesShadows } from "./place.ts";
import type { PreparedObject } from "./prepare.ts";
import { asJson, type LoadedPart, type LoadedPatch, type LoadRecord } from "./record.ts";

type Target = Pick<
  PatchedProcess,
  "saveExtra" | "map" | "unmap" | "read" | "write" | "registerCode" | "forgetCode" | "room"
>;

/** Where the process's shadow variables are, or would be; undefined for a livepatch that has none. */
export function shadowsFor(
  livepatch: ProgramLivepatch,
  near: CodeRange,
  record: LoadRecord,
  process: Pick<PatchedProcess, "room">,
): CodeRange | undefined {
  if (record.shadows !== undefined || !livepatch.objects.some(usesShadows)) return record.shadows;
  return process.room(near, SHADOWS_SIZE);
}

/**
 * Places parts of a patch, which may have others already. @returns the record
 * that the process has now
 */
export function placePatch(
  process: Target,
  record: LoadRecord,
  livepatch: ProgramLivepatch,
  objects: readonly PreparedObject[],
  shadows: CodeRange | undefined,
): LoadRecord {
  const before = record.patches.find(({ name }) => name === livepatch.name);
  const patch = loadedPatch(livepatch, objects, before);
  const next: LoadRecord = {
    ...record,
    ...(shadows === undefined ? {} : { shadows: { start: shadows.start, end: shadows.end } }),
    patches: [...record.patches.filter((each) => each !== before), patch],
  };
  process.saveExtra(asJson(next));
  if (shadows !== undefined && record.shadows === undefined) process.map({ ...shadows, protection: "rw-" });
  for (const { executable, writable, placed } of objects) {
    process.map({ ...executable, protection: "r-x" });
    process.write(executable.start, placed.executable);
    if (writable === undefined) continue;
    process.map({ ...writable, protection: "rw-" });
    process.write(writable.start, placed.writable);
  }
  for (const part of patch.objects.slice(before?.objects.length ?? 0)) registerPart(process, patch.name, part);
  return next;
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
  patch: LoadedPatch,
  part: LoadedPart,
  mappings: readonly Mapping[],
): LoadRecord {
  const { executable, writable } = part;
  if (isOurs(executable, mappings, true)) {
    process.forgetCode(executable);
    process.unmap(executable);
  }
  if (writable !== undefined && isOurs(writable, mappings, false)) process.unmap(writable);
  const patches = record.patches.map((each) =>
    each.name === patch.name ? { ...each, objects: each.objects.filter(({ name }) => name !== part.name) } : each,
  );
  const next = { ...record, patches };
  process.saveExtra(asJson(next));
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
    name: livepatch.name,
    digest: livepatch.digest,
    of: name === "" ? objects.map(({ bound }) => bound.part.record.name).join(", ") : name,
    objects: [...(before?.objects ?? []), ...objects.map(loadedPart)],
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
    ...(unwinding === undefined ? {} : { takeBack: unwinding.takeBack }),
    funcs: part.record.funcs.map(({ name, sympos, source, why }) => ({ name, sympos, source, why })),
    relies: (part.record.relies ?? []).map(({ source, name }) => ({ source, name })),
  };
}
