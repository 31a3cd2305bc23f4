/** What a system's patches are like, for lists. */
import type { CoreRecord, LoadedPatch } from "./record.ts";

/**
 * One loaded patch, for whoever lists them. `funcs` are the ids of its sites
 * (`Site.id`), `absent` the objects that it waits for.
 */
export interface PatchStatus {
  readonly name: string;
  /** In effect for some task at least. */
  readonly enabled: boolean;
  /** Where tasks are on their way, as far as this patch is patched or unpatched itself. */
  readonly transition: "patching" | "unpatching" | undefined;
  readonly forced: boolean;
  readonly replacedBy: string | undefined;
  readonly objects: readonly string[];
  readonly absent: readonly string[];
  readonly funcs: readonly string[];
}

/** Reads the record alone, so it may be asked in the middle of a transition. `patch` is one of the record's. */
export function statusOf(record: CoreRecord, patch: LoadedPatch): PatchStatus {
  const { transition } = record;
  const own = transition?.patch === patch.name ? transition : undefined;
  const isMoving = transition !== undefined && transition.phase !== "after";
  const layers = isMoving ? [...transition.from, ...transition.to] : record.layers;
  const patching = own !== undefined && (own.kind === "patch") !== own.reversed;
  return {
    name: patch.name,
    enabled: layers.some((layer) => layer.patch === patch.name),
    transition: own === undefined ? undefined : patching ? "patching" : "unpatching",
    forced: patch.forced,
    replacedBy: patch.replacedBy,
    objects: patch.objects.map((object) => object.name),
    absent: patch.absent,
    funcs: patch.objects.flatMap((object) => object.funcs.map((func) => func.site.id)),
  };
}
