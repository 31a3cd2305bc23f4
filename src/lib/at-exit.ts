/**
 * What is to be done when this process ends, however it ends but by SIGKILL
 * (a signal ends it through `catchInterrupts`). First the programs that it has
 * started are ended, then what they may still have written to is removed.
 */

/** In the order in which they are done. */
export type LastThing = "end programs" | "remove files";

const ORDER: readonly LastThing[] = ["end programs", "remove files"];
const waiting: Record<LastThing, Set<() => void>> = { "end programs": new Set(), "remove files": new Set() };
let isWatching = false;

/** @param act does not throw and does not wait. @returns what calls it off */
export function atExit(kind: LastThing, act: () => void): () => void {
  waiting[kind].add(act);
  if (!isWatching) {
    isWatching = true;
    process.on("exit", doLastThings);
  }
  return () => waiting[kind].delete(act);
}

/** Does them now; what a program still writes into may have to be removed twice. */
export function doLastThings(): void {
  for (const kind of ORDER) for (const act of waiting[kind]) act();
}
