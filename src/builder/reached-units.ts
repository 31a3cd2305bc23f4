/** Which units a diff reaches, as far as it is the same for every subject: by what a compiler makes of them, and by names of files. */
import { basename } from "node:path";
import { mapParallel } from "../lib/parallel.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { ChangedFile } from "../source/diffs/diff-input.ts";
import { readsOf } from "../source/include-lines.ts";
import { changesOf, layOutView, type TreeView, viewDirectory } from "../source/tree.ts";
import type { Run } from "./subject.ts";

/** How units are asked: as many at a time as there are jobs. */
export type AskOptions = Pick<Run, "jobs" | "progress" | "signal">;

/** What a compiler says of each unit, asked in a view of the tree with the diff in it; in the units' order. */
export async function askUnits<Unit, Answer>(
  units: readonly Unit[],
  { tree, files }: { readonly tree: string; readonly files: readonly ChangedFile[] },
  { jobs, progress, signal }: AskOptions,
  ask: (unit: Unit, view: TreeView, signal: AbortSignal) => Promise<Answer>,
): Promise<Answer[]> {
  if (units.length === 0) return [];
  await using views = await viewDirectory();
  const view = layOutView(tree, views.path, changesOf(files));
  progress.step(`preprocess ${units.length} files`);
  let done = 0;
  return await mapParallel(
    units,
    jobs,
    async (unit, _, both) => {
      const answer = await ask(unit, view, both);
      progress.tick(++done, units.length);
      return answer;
    },
    signal,
  );
}

/** By name, or by a macro that may stand for any: where it is found is the compiler's business. */
export function mayBeIncludedByChange({ path }: ChangedFile, files: readonly ChangedFile[]): boolean {
  const isIt = (name: string) => basename(name) === basename(path);
  return files.some(({ patched }) => {
    if (patched === undefined) return false;
    const { names, embedded, computed } = readsOf(patched);
    return computed.length > 0 || embedded.some(isIt) || names.some(({ name }) => isIt(name));
  });
}

/** `ASSEMBLY_CHANGED`. @param sources of assembly that gets other tokens by the diff; one at least */
export function assemblyRefusal(sources: readonly string[]): Refusal {
  const [first] = sources;
  const rest = sources.length === 1 ? "reads" : `and ${sources.length - 1} more read`;
  return refusal(
    "ASSEMBLY_CHANGED",
    `${first} ${rest} what the diff changes, and is assembly, which has no functions that could be told apart and redirected`,
    sources.join(", "),
    "leave what assembly reads as it is, and give the C code a definition of its own",
  );
}

/** `FILE_REMOVED`. */
export function removedRefusal(path: string, running: "kernel" | "program"): Refusal {
  return refusal(
    "FILE_REMOVED",
    `${path} is removed, and the running ${running} goes on with what was compiled from it`,
    path,
    "keep the file, and change its functions",
  );
}
