/** Which processes have a livepatch's objects loaded, told by what they have in memory. */
import { basename } from "node:path";
import { SutureError } from "../../lib/error.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { LivepatchObject, ProgramLivepatch } from "./load/livepatch.ts";
import type { LoadedObject } from "./load/loaded-object.ts";
import { readMappedElf } from "./load/mapped-elf.ts";
import { fileOf, objectMappings } from "./loaded-objects.ts";
import { allProcesses, ProcessView } from "./process-view.ts";
import { readMappings } from "./unwind/mappings.ts";

export interface Discovery {
  readonly pids: readonly number[];
  /** How many processes this user may not look into. */
  readonly hidden: number;
}

/**
 * Looks through all processes but those passed over. What was seen of a file in one process is true
 * in the others: `known` keeps it, by device and inode.
 */
export function findProcesses(
  livepatch: ProgramLivepatch,
  known: Map<string, string | undefined>,
  passedOver: ReadonlySet<number> = new Set(),
): Discovery {
  const wanted = new Set(livepatch.objects.map(({ record }) => record.buildId));
  const pids: number[] = [];
  let hidden = 0;
  for (const pid of allProcesses()) {
    if (passedOver.has(pid)) continue;
    try {
      if (buildIdsOf(pid, known).some((id) => wanted.has(id))) pids.push(pid);
    } catch (error) {
      if (isDenied(error)) hidden += 1;
      else if (!isGone(error)) throw error;
    }
  }
  return { pids, hidden };
}

function buildIdsOf(pid: number, known: Map<string, string | undefined>): string[] {
  const mappings = objectMappings(readMappings(pid));
  if (mappings.some((mapping) => !known.has(fileOf(mapping)))) {
    using view = new ProcessView(pid);
    for (const mapping of mappings) {
      const file = fileOf(mapping);
      if (!known.has(file)) known.set(file, readMappedElf(mapping.start, view.read)?.buildId);
    }
  }
  return mappings.flatMap((mapping) => known.get(fileOf(mapping)) ?? []);
}

function isDenied(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return ["EACCES", "EPERM", "PTRACE_DENIED"].includes(code);
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return (
    ["ENOENT", "ESRCH", "TARGET_GONE"].includes(code) || (error instanceof SutureError && code === "MEMORY_UNREADABLE")
  );
}

/** A livepatch's part for an object, and the object in a process. */
export interface BoundObject {
  readonly part: LivepatchObject;
  readonly loaded: LoadedObject;
}

/** Objects of the livepatch that the process has; refusals where it has others of their names, or none at all. */
export function bindObjects(
  livepatch: ProgramLivepatch,
  view: ProcessView,
): { readonly bound: readonly BoundObject[]; readonly refusals: readonly Refusal[] } {
  const bound: BoundObject[] = [];
  const refusals: Refusal[] = [];
  for (const part of livepatch.objects) {
    const { name, buildId } = part.record;
    const [loaded, ...more] = view.objects.filter(({ elf }) => elf.buildId === buildId);
    if (loaded !== undefined) {
      if (more.length > 0) refusals.push(loadedTwice(part, [loaded, ...more], view));
      else bound.push({ part, loaded });
      continue;
    }
    const other = view.objects.find((object) => basename(object.path) === name || object.dynamic?.soname === name);
    if (other !== undefined) refusals.push(otherBuild(livepatch, part, other, view));
  }
  if (bound.length === 0 && refusals.length === 0) refusals.push(nothingThere(livepatch, view));
  return { bound, refusals };
}

/** By copies of the file, or in namespaces of their own (dlmopen): each has its own functions and variables. */
function loadedTwice({ record }: LivepatchObject, all: readonly LoadedObject[], { status, pid }: ProcessView): Refusal {
  const places = all.map(({ path, elf }) => `${path} at 0x${elf.start.toString(16)}`).join(", ");
  return refusal(
    "LOADED_TWICE",
    `the process has ${record.name} ${all.length} times, and a livepatch patches one: ${places}`,
    `${status.name} (${pid})`,
    "restart the program with the fixed one, or have it load the library once",
  );
}

function otherBuild(
  livepatch: ProgramLivepatch,
  { record }: LivepatchObject,
  other: LoadedObject,
  view: ProcessView,
): Refusal {
  const where = `${view.status.name} (${view.pid}): ${other.path}: build-id ${other.elf.buildId ?? "none"}, wanted ${record.buildId}`;
  if (other.isDeleted) {
    return refusal(
      "BINARY_REPLACED",
      `the process runs a ${record.name} that has been replaced on disk since, and ${livepatch.name} is not for that one`,
      where,
      "build the livepatch for the version that runs, or restart the process",
    );
  }
  return refusal(
    "WRONG_BUILD_ID",
    `${livepatch.name} is for another build of ${record.name}`,
    where,
    "build the livepatch for the version that runs",
  );
}

function nothingThere({ name, objects }: ProgramLivepatch, { pid, status }: ProcessView): Refusal {
  const names = objects.map(({ record }) => record.name).join(", ");
  return refusal(
    "OBJECT_NOT_LOADED",
    `the process has nothing loaded that ${name} patches: ${names}`,
    `${status.name} (${pid})`,
    "list the processes that have with: suture preflight LIVEPATCH --all",
  );
}
