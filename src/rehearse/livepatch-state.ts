/** What sysfs shows of a livepatch, beside what its metadata says it should. */
import type { ObjectRecord } from "../patch/metadata.ts";
import type { PatchedObject, SysfsPatch } from "../targets/kernel/sysfs.ts";

/**
 * Why the livepatch is not what an enabled one should be, if so.
 *
 * @param records of its metadata; undefined for a livepatch that has none
 * @param loaded modules that it patches and that are in the kernel
 */
export function whyNotPatched(
  patch: SysfsPatch | undefined,
  records: readonly ObjectRecord[] | undefined,
  loaded: readonly string[],
): string | undefined {
  if (patch?.enabled !== true) return "sysfs shows it as not enabled";
  const { objects } = patch;
  if (objects.length === 0) return "it patches no object";
  const recordOf = (name: string) => records?.find((record) => record.name === name);
  const works = ({ name, funcs }: PatchedObject) => funcs.length > 0 || worksWithoutFuncs(recordOf(name));
  const patchesSome = objects.some(works);
  const idle = objects.filter((each) => !works(each) && !(patchesSome && lends(recordOf(each.name))));
  if (idle.length > 0) return `it patches no function of ${idle.map(({ name }) => name).join(", ")}`;
  const unpatched = ["vmlinux", ...loaded].filter((name) =>
    objects.some((each) => each.name === name && each.patched === false),
  );
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
