/** Which processes of the same program a livepatch in this one does not reach: those that it executes, or has started before. */
import { readFileSync } from "node:fs";
import { fileOf, objectMappings } from "../../process/maps/loaded-objects.ts";
import { allProcesses, type ProcessView } from "../../process/maps/process-view.ts";
import { readMappings } from "../../process/os/mappings.ts";
import { sharesMemory } from "../../process/os/shared-memory.ts";

/** What runs a program in the place of the one that calls it, or in a new process. */
const EXECUTES = /^(?:execl|execle|execlp|execv|execve|execvp|execvpe|fexecve|execveat|posix_spawnp?)$/;

/** Sentences for the one who loads a livepatch into this process; none where there is nothing to say. */
export function unreachedProcesses(view: ProcessView): string[] {
  const notes: string[] = [];
  const children = childrenOfSameProgram(view);
  if (children.length > 0) {
    const [is, them] = children.length === 1 ? ["a process", "it"] : [`${children.length} processes`, "them"];
    notes.push(
      `${is} of the same program that it has started already is not reached by this: ${children.join(", ")}; --all reaches ${them}`,
    );
  }
  const by = view.objects
    .find(({ isExecutable }) => isExecutable)
    ?.dynamic?.slots.find(({ name }) => EXECUTES.test(name));
  if (by !== undefined)
    notes.push(
      `processes that it forks have the livepatch, programs that it executes (${by.name}) do not: a server that executes itself for each connection needs a rebuilt binary`,
    );
  return notes;
}

function childrenOfSameProgram({ pid, mappings }: ProcessView): number[] {
  const own = new Set(objectMappings(mappings).slice(0, 1).map(fileOf));
  return allProcesses().filter((other) => {
    try {
      if (Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${other}/status`, "latin1"))?.[1]) !== pid) return false;
      if (sharesMemory(other, pid)) return false;
      return objectMappings(readMappings(other)).some((mapping) => own.has(fileOf(mapping)));
    } catch {
      // It has ended, or is not ours to look into.
      return false;
    }
  });
}
