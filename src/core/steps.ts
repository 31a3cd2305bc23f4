/** How a record goes on: what it is while tasks move, when they have arrived, and when all is over. Pure. */
import type { CallbackName } from "../patch/program-metadata.ts";
import type { CoreRecord, Layer, LoadedPatch, TransitionRecord } from "./record.ts";

/** A record of the phase `moving`: from here on only the system knows which tasks are behind. */
export function movingRecord(record: CoreRecord, transition: TransitionRecord): CoreRecord {
  return { ...record, transition: { ...transition, phase: "moving", called: [] } };
}

/** All tasks are where the transition leads to. It is over at once, where no callbacks are left to run. */
export function arrivedRecord(record: CoreRecord, transition: TransitionRecord): CoreRecord {
  const arrived: CoreRecord = {
    ...record,
    layers: transition.reversed ? transition.from : transition.to,
    patches: transition.reversed
      ? record.patches
      : record.patches.map((patch) => replacedOrNot(patch, record, transition)),
    transition: { ...transition, phase: "after", called: [] },
  };
  return callbacksOf(arrived, lastCallback(transition)).length > 0 ? arrived : finishedRecord(arrived);
}

/** Without the transition. What was being loaded and did not get there is forgotten. */
export function finishedRecord(record: CoreRecord): CoreRecord {
  const { transition, ...rest } = record;
  if (transition === undefined || !transition.loading || !transition.reversed) return rest;
  const { patch: name, objects } = transition;
  if (!rest.layers.some((layer) => layer.patch === name))
    return { ...rest, patches: rest.patches.filter((patch) => patch.name !== name || patch.forced) };
  const patches = rest.patches.map((patch) =>
    patch.name !== name || patch.forced ? patch : withoutObjects(patch, objects),
  );
  return { ...rest, patches };
}

/** The patch without its parts for these objects, for which it waits again. */
export function withoutObjects(patch: LoadedPatch, names: readonly string[]): LoadedPatch {
  const gone = patch.objects.filter((object) => names.includes(object.name)).map((object) => object.name);
  const objects = patch.objects.filter((object) => !names.includes(object.name));
  return { ...patch, objects, absent: [...patch.absent, ...gone] };
}

/**
 * The record of a transition that is given up before a hook has changed: of its
 * objects, those up to the one whose callback was not called or refused count.
 */
export function cancelledRecord(record: CoreRecord, transition: TransitionRecord): CoreRecord {
  const first = callbacksOf(record, firstCallback(transition)).find(
    ({ object }) => !transition.called.includes(object),
  );
  const end = first === undefined ? transition.objects.length : transition.objects.indexOf(first.object);
  const begun = transition.objects.slice(0, end);
  return arrivedRecord(record, { ...transition, reversed: true, begun });
}

/** The callbacks of the transition's objects of one name, in order, with the objects' names. */
export function callbacksOf(
  record: CoreRecord,
  name: CallbackName,
): { readonly object: string; readonly entry: number }[] {
  const { transition } = record;
  const patch = record.patches.find((each) => each.name === transition?.patch);
  const names = transition?.begun ?? transition?.objects;
  const objects = patch?.objects.filter((each) => names?.includes(each.name)) ?? [];
  return objects.flatMap(({ name: object, callbacks }) => {
    const entry = callbacks[name];
    return entry === undefined ? [] : [{ object, entry }];
  });
}

/**
 * Which callback may refuse, before any hook changes; Documentation/livepatch/callbacks
 * names the four. It does not depend on a reversal, which comes later.
 */
export function firstCallback({ kind }: TransitionRecord): CallbackName {
  return kind === "patch" ? "pre_patch" : "pre_unpatch";
}

/** Of the side at which the transition arrives, as in the kernel: a reversed patching ends with post_unpatch. */
export function lastCallback({ kind, reversed }: TransitionRecord): CallbackName {
  return (kind === "patch") !== reversed ? "post_patch" : "post_unpatch";
}

function replacedOrNot(
  patch: LoadedPatch,
  record: CoreRecord,
  { patch: name, kind, from, to }: TransitionRecord,
): LoadedPatch {
  const { replacedBy, ...rest } = patch;
  const isIn = (layers: readonly Layer[]) => layers.some((layer) => layer.patch === patch.name);
  const replaces = kind === "patch" && record.patches.find((each) => each.name === name)?.replace === true;
  if (replaces && isIn(from) && !isIn(to)) return { ...rest, replacedBy: name };
  return isIn(to) || replacedBy === undefined ? rest : { ...rest, replacedBy };
}
