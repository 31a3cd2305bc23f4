/** Objects that come and go while patches for them are loaded. */
import type { PatchObject } from "./patch.ts";
import type { CoreRecord, Layer, LoadedPatch, TransitionRecord } from "./record.ts";
import type { Registry } from "./registry.ts";
import { withoutObjects } from "./steps.ts";

/**
 * The record in which a patch has its part for an object that it was waiting for.
 * Whether it comes into effect is another matter.
 */
export function withObject(record: CoreRecord, patch: LoadedPatch, object: PatchObject): CoreRecord {
  const absent = patch.absent.filter((name) => name !== object.name);
  const extended = { ...patch, absent, objects: [...patch.objects, object] };
  return { ...record, patches: record.patches.map((each) => (each === patch ? extended : each)) };
}

/** The sites are forgotten before the record says so: done twice, it does no harm. */
export function objectGone(registry: Registry, name: string): void {
  const { record } = registry;
  const objects = record.patches.flatMap((patch) => patch.objects.filter((object) => object.name === name));
  if (objects.length === 0) return;
  registry.machine.forget(objects.flatMap((object) => object.funcs.map((func) => func.site)));
  registry.save(recordWithout(record, name));
}

/** The record of a system in which an object is no more. */
export function recordWithout({ transition, ...rest }: CoreRecord, name: string): CoreRecord {
  const patches = rest.patches.map((patch) => withoutObjects(patch, [name]));
  const gone = { ...rest, patches, layers: withoutObject(rest.layers, name) };
  return transition === undefined ? gone : { ...gone, transition: transitionWithout(transition, name) };
}

function transitionWithout(transition: TransitionRecord, name: string): TransitionRecord {
  const objects = transition.objects.filter((object) => object !== name);
  return { ...transition, objects, from: withoutObject(transition.from, name), to: withoutObject(transition.to, name) };
}

function withoutObject(layers: readonly Layer[], name: string): Layer[] {
  return layers.map((layer) => ({ ...layer, objects: layer.objects.filter((object) => object !== name) }));
}
