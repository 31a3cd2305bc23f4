/** A livepatch that is installed, and what it is for. */
import { basename } from "node:path";
import * as v from "valibot";
import type { Loadable } from "../../targets/loadable.ts";
import type { LivepatchIdentity } from "../trust/livepatch-identity.ts";

const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** What runs where an installed livepatch has something to do. */
export const targetSchema = v.variant("kind", [
  v.object({
    kind: v.literal("kernel"),
    /** As `uname -r` prints it. */
    release: v.string(),
    /** Of vmlinux; undefined for a livepatch that another tool made. */
    buildId: v.optional(v.string()),
  }),
  v.object({
    kind: v.literal("program"),
    /** Package and version, or the names of what it patches. */
    of: v.string(),
    objects: v.array(
      v.object({
        name: v.string(),
        /** Where it lay when the livepatch was built: of a package, where it is shipped. */
        path: v.string(),
        buildId: v.string(),
        /** Where it was seen on this machine. */
        places: v.optional(v.array(v.string())),
      }),
    ),
  }),
]);

/** The kernel, by release and build; or executables and libraries, by build. */
export type InstalledTarget = v.InferOutput<typeof targetSchema>;

/** A row of the database, checked: the file may have been written to by others. */
export const installedSchema = v.object({
  /** A later installation has a larger one. */
  id: v.pipe(v.number(), v.integer(), v.minValue(1)),
  name: v.string(),
  /** SHA-256 of the file, hexadecimal. */
  digest,
  /** Bytes. */
  size: v.number(),
  target: targetSchema,
  /** The livepatch's own number: of two of one name the higher one is newer; 0 where it has none. */
  version: v.pipe(v.number(), v.integer(), v.minValue(0)),
  /** Its signature file, where it came with one. */
  signature: v.optional(v.instance(Uint8Array)),
  /** Milliseconds since 1970. */
  at: v.number(),
  /** A boot that has loaded it and lived. */
  lived: v.optional(v.string()),
  /** Why it is not loaded any more, though it is installed. */
  leftOut: v.optional(v.object({ at: v.number(), why: v.string() })),
});

/** A livepatch that is loaded at each boot, and into new processes. */
export type Installed = v.InferOutput<typeof installedSchema>;

/** What a livepatch file is for. */
export function targetOf({ kind, livepatch }: Loadable): InstalledTarget {
  if (kind === "kernel") {
    const release = livepatch.vermagic.split(" ")[0] ?? "";
    return { kind, release, buildId: livepatch.metadata?.kernel.buildId };
  }
  const { program } = livepatch.metadata;
  const objects = livepatch.objects.map(({ record: { name, path, buildId } }) => ({ name, path, buildId }));
  const names = objects.map(({ name }) => basename(name)).join(", ");
  const of = program.package === undefined ? names : [program.package, program.version].filter(Boolean).join(" ");
  return { kind, of, objects };
}

type ProgramObject = Extract<InstalledTarget, { kind: "program" }>["objects"][number];

/** Paths at which a build lies, or lay, on this machine, as far as that is known. */
export function pathsOf({ path, places = [] }: ProgramObject): readonly string[] {
  return [...new Set([path, ...places])];
}

/** The same target, with what has been seen of its builds. @param seen paths by build-id */
export function withPlaces(target: InstalledTarget, seen: ReadonlyMap<string, Iterable<string>>): InstalledTarget {
  if (target.kind === "kernel") return target;
  const objects = target.objects.map((object) => {
    const { places: known = [], ...rest } = object;
    const places = [...new Set([...known, ...(seen.get(object.buildId) ?? [])])].slice(-MOST_PLACES);
    return places.length === 0 ? object : { ...rest, places };
  });
  return { ...target, objects };
}

/** The oldest are forgotten: who installs each version in a place of its own has as many as there were. */
const MOST_PLACES = 20;

/** For a reader: `Linux 6.1.0-1-amd64`, `redis 5:7.0.15-1`. */
export function describeTarget(target: InstalledTarget): string {
  return target.kind === "kernel" ? `Linux ${target.release}` : target.of;
}

/** Whether a livepatch is for the same kernel, or the same builds of a program: then only one of a name can be installed. */
export function isSame({ name, target }: Pick<Installed, "name" | "target">, livepatch: LivepatchIdentity): boolean {
  if (name !== livepatch.name || target.kind !== livepatch.kind) return false;
  const ids = livepatch.targets.map((each) => each.split(" "));
  if (target.kind === "kernel") return ids.every(([, release]) => release === target.release);
  const builds = (all: readonly (string | undefined)[]): string => all.toSorted().join(" ");
  return builds(ids.map(([, , buildId]) => buildId)) === builds(target.objects.map(({ buildId }) => buildId));
}
