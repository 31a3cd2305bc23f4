/** Whether a process has come as far as its own code. */
import { PT } from "../../elf/constants.ts";
import { nativeWords } from "../os/native.ts";
import { tried } from "./mapped-elf.ts";
import type { ProcessView } from "./process-view.ts";

/** Offsets in struct r_debug of <link.h>: the first object, and whether objects are being added. */
const R_DEBUG = { size: 40, map: 8, state: 24 } as const;
/** RT_CONSISTENT. */
const CONSISTENT = 0;

/**
 * Whether all that the program was started with is loaded and relocated, as its dynamic linker says; a program
 * without one is as it will be from its first instruction on. What cannot be read is not there yet.
 */
export function isStarted(view: ProcessView): boolean {
  const executable = view.objects.find(({ isExecutable }) => isExecutable);
  if (executable === undefined) return false;
  const hasLinker = executable.elf.segments.some(({ type }) => type === PT.INTERP);
  if (!hasLinker) return true;
  const at = executable.dynamic?.debug ?? 0;
  if (at === 0) return false;
  const debug = tried(() => view.read(at, R_DEBUG.size));
  if (debug === undefined) return false;
  const words = nativeWords();
  return words.size(debug, R_DEBUG.map) !== 0 && words.u32(debug, R_DEBUG.state) === CONSISTENT;
}
