/** Which processes have a livepatch's objects loaded, told by what they have in memory. */
import { SutureError } from "../../lib/error.ts";
import type { ProgramLivepatch } from "../../process/loader/livepatch.ts";
import { fileOf, objectMappings } from "../../process/maps/loaded-objects.ts";
import { readMappedElf } from "../../process/maps/mapped-elf.ts";
import { allProcesses, ProcessView } from "../../process/maps/process-view.ts";
import { type Mapping, readMappings } from "../../process/os/mappings.ts";

/** Processes that were found, which may have ended by now. */
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
  known: KnownBuilds,
  passedOver: ReadonlySet<number> = new Set(),
): Discovery {
  const wanted = new Set(livepatch.objects.map(({ record }) => record.buildId));
  const pids: number[] = [];
  let hidden = 0;
  for (const pid of allProcesses()) {
    if (passedOver.has(pid)) continue;
    try {
      if (buildIdsIn(pid, readMappings(pid), known).some((id) => wanted.has(id))) pids.push(pid);
    } catch (error) {
      if (isDenied(error)) hidden += 1;
      else if (!isGone(error)) throw error;
    }
  }
  return { pids, hidden };
}

/** What is known of files, by device and inode: the build-id, or that there is none. */
export type KnownBuilds = Map<string, string | undefined>;

/** Build-ids of what a process has loaded. Throws what reading its mappings and its memory throws. */
export function buildIdsIn(pid: number, all: readonly Mapping[], known: KnownBuilds): string[] {
  const mappings = objectMappings(all);
  if (mappings.some((mapping) => !known.has(fileOf(mapping)))) {
    using view = new ProcessView(pid);
    for (const mapping of mappings) {
      const file = fileOf(mapping);
      if (!known.has(file)) known.set(file, readMappedElf(mapping.start, view.read)?.buildId);
    }
  }
  return mappings.flatMap((mapping) => known.get(fileOf(mapping)) ?? []);
}

/** Whether this user may not look into a process. */
export function isDenied(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return ["EACCES", "EPERM", "PTRACE_DENIED"].includes(code);
}

/** Whether a process has ended meanwhile. */
export function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return (
    ["ENOENT", "ESRCH", "TARGET_GONE"].includes(code) || (error instanceof SutureError && code === "MEMORY_UNREADABLE")
  );
}
