/** Which of a livepatch's objects a process has loaded, told by their build-ids. */
import { basename } from "node:path";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { LoadedObject } from "../maps/loaded-object.ts";
import type { ProcessView } from "../maps/process-view.ts";
import type { LivepatchObject, ProgramLivepatch } from "./livepatch.ts";

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
