/** The objects that a livepatch patches, each with its functions and callbacks. */
import { isSameName } from "../diff/renamed.ts";
import type { SelectedFunc } from "../diff/selection.ts";
import { madeOf } from "../patch/findings.ts";
import type { ObjectRecord } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { callbacksOf, type FoundCallbacks } from "./callbacks.ts";
import type { FieldTarget } from "./image.ts";
import type { LinkUnit } from "./input.ts";
import type { Callback, KlpFunc, KlpObject } from "./klp.ts";
import { newEntry, notProved, type PlacedUnit } from "./placed-unit.ts";

/** One object as the livepatch core takes it, and as metadata tell of it. */
export interface LinkedObject extends KlpObject {
  readonly record: ObjectRecord;
  readonly refusals: readonly Refusal[];
}

type ExitSwitch = (
  unit: LinkUnit,
  exits: { patched: FieldTarget; original: FieldTarget },
) => { readonly pre_patch: FieldTarget; readonly post_unpatch: FieldTarget };

/** The units by the object that they are part of. */
export function objectsOf(placed: readonly PlacedUnit[], exitSwitch: ExitSwitch): LinkedObject[] {
  const names = [...new Set(placed.map(({ unit }) => unit.object))];
  return names.map((name) => {
    const units = placed.filter(({ unit }) => unit.object === name);
    const funcs = madeOf(units.flatMap((it) => it.unit.selection.funcs.map((func) => klpFunc(func, it))));
    const found = units.flatMap((it) => [
      callbacksOf(it.unit.selection.pieces, it.binder),
      exitCallbacks(it, exitSwitch),
    ]);
    const { callbacks, refusals } = mergeCallbacks(found, name);
    const record: ObjectRecord = {
      name,
      funcs: units.flatMap(({ unit }) =>
        [...unit.selection.funcs, ...(unit.selection.moduleExit === undefined ? [] : [unit.selection.moduleExit])].map(
          (func) => funcRecord(func, unit),
        ),
      ),
      callbacks: Object.keys(callbacks).sort(),
    };
    return { name, funcs: funcs.made, callbacks, record, refusals: [...funcs.refusals, ...refusals] };
  });
}

/** None, and the refusal `FUNCTION_NOT_PROVED`, where the running object is not known to have the function. */
export function klpFunc(func: SelectedFunc, { unit, placements }: PlacedUnit): KlpFunc | Refusal {
  const located = unit.locateFunc(func.original);
  const placement = placements.get(func.patched);
  if (located === undefined || placement === undefined)
    return notProved(func, unit.selection, "a weak function that is overridden, or another source,");
  return { name: located.name, sympos: located.sympos, newFunction: newEntry(func, placement) };
}

/** What metadata say of a patched function; sizes are bytes. */
export function funcRecord(func: SelectedFunc, unit: LinkUnit): ObjectRecord["funcs"][number] {
  const located = unit.locateFunc(func.original);
  return {
    name: located?.name ?? func.name,
    sympos: located?.sympos ?? 0,
    source: unit.selection.unit,
    why: func.why,
    ...newNameOf(func),
    size: { original: func.original.end - func.original.start, patched: func.patched.end - func.patched.start },
  };
}

/** For the record of a func: the new version's name, where it has another one. */
export function newNameOf({ original, patched }: SelectedFunc): { readonly newName?: string } {
  return isSameName(original, patched) ? {} : { newName: patched.name };
}

function exitCallbacks(it: PlacedUnit, exitSwitch: ExitSwitch): FoundCallbacks {
  const { unit, placements, binder } = it;
  const { moduleExit } = unit.selection;
  const placement = moduleExit === undefined ? undefined : placements.get(moduleExit.patched);
  const original = moduleExit && binder.target({ kind: "original", atom: moduleExit.original, offset: 0 });
  if (moduleExit === undefined || placement === undefined || original === undefined)
    return { callbacks: {}, refusals: [] };
  const symbol = moduleExit.patched.symbols.find(({ name }) => name === "cleanup_module");
  const offset = (symbol?.value ?? 0) - moduleExit.patched.start;
  const { pre_patch, post_unpatch } = exitSwitch(unit, {
    patched: { kind: "section", section: placement.section, offset: placement.offset + offset },
    original,
  });
  return {
    callbacks: { pre_patch: { target: pre_patch, addend: 0 }, post_unpatch: { target: post_unpatch, addend: 0 } },
    refusals: madeOf([klpFunc(moduleExit, it)]).refusals,
  };
}

/** All callbacks of one object, which has one of each kind. */
export function mergeCallbacks(all: readonly FoundCallbacks[], object: string): FoundCallbacks {
  const merged: Record<string, Callback> = {};
  const refusals = all.flatMap((each) => each.refusals);
  for (const [name, callback] of all.flatMap(({ callbacks }) => Object.entries(callbacks))) {
    if (callback === undefined) continue;
    if (merged[name] !== undefined && merged[name] !== callback) {
      const what = `${object} has more than one ${name.replace("_", "-")} callback`;
      refusals.push(refusal("CALLBACK_TWICE", what, object, "an object has one of each kind: call the others from it"));
    }
    merged[name] = callback;
  }
  return { callbacks: merged, refusals };
}
