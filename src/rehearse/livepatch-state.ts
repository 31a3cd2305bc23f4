/** What sysfs shows of a livepatch in the guest, beside what its metadata says it should. */
import type { ObjectRecord } from "../patch/metadata.ts";

/** Objects whose `patched` the kernel does not tell are undefined. */
export interface LivepatchState {
  readonly enabled: boolean;
  readonly objects: ReadonlyMap<string, boolean | undefined>;
  /** Objects with no function to patch. */
  readonly empty: readonly string[];
}

/** @param output of the guest's command `state` */
export function stateOf(output: string): LivepatchState {
  const objects = new Map<string, boolean | undefined>();
  const empty: string[] = [];
  for (const [, name = "", patched, funcs] of output.matchAll(/^object (\S+) ([01?]) (\d+)$/gm)) {
    objects.set(name, patched === "?" ? undefined : patched === "1");
    if (funcs === "0") empty.push(name);
  }
  return { enabled: /^enabled 1$/m.test(output), objects, empty };
}

/**
 * Why the livepatch is not what an enabled one should be, if so.
 *
 * @param records of its metadata; undefined for a livepatch that has none
 * @param loaded modules that it patches and that are in the kernel
 */
export function whyNotPatched(
  state: LivepatchState,
  records: readonly ObjectRecord[] | undefined,
  loaded: readonly string[],
): string | undefined {
  if (!state.enabled) return "sysfs shows it as not enabled";
  if (state.objects.size === 0) return "it patches no object";
  const recordOf = (name: string) => records?.find((record) => record.name === name);
  const works = (name: string) => !state.empty.includes(name) || worksWithoutFuncs(recordOf(name));
  const patchesSome = [...state.objects.keys()].some(works);
  const idle = state.empty.filter((name) => !works(name) && !(patchesSome && lends(recordOf(name))));
  if (idle.length > 0) return `it patches no function of ${idle.join(", ")}`;
  const unpatched = ["vmlinux", ...loaded].filter((name) => state.objects.get(name) === false);
  return unpatched.length === 0 ? undefined : `loaded but not patched: ${unpatched.join(", ")}`;
}

/** An object that is switched at one moment, or has callbacks alone, has no function in sysfs. */
function worksWithoutFuncs(record: ObjectRecord | undefined): boolean {
  if (record === undefined) return false;
  return record.callbacks.length > 0 || record.values !== undefined || record.funcs.some(({ by }) => by === "switch");
}

/** An object of which nothing is patched, and whose symbols new code for another object needs. */
function lends(record: ObjectRecord | undefined): boolean {
  return record !== undefined && record.funcs.length === 0;
}
