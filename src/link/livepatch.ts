/** The linker: from what the object diffs selected to a livepatch module, without kbuild. */
import type { Piece, SelectedFunc } from "../diff/selection.ts";
import type { Atom } from "../diff/unit.ts";
import type { NeedRecord, Note, ObjectRecord } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { callbacksOf, isCallbackPiece } from "./callbacks.ts";
import { type FieldTarget, Image } from "./image.ts";
import type { LinkRequest, LinkUnit, Origin } from "./input.ts";
import { type Callback, type Callbacks, type KlpFunc, type KlpObject, placeKlpPatch } from "./klp.ts";
import { placeEntryPoints, placeExitSwitch, placeModinfo, placeThisModule, placeVersions } from "./module.ts";
import { Binder, type Placement, placePieces } from "./place-pieces.ts";
import { endStates, stateRefusals } from "./states.ts";
import { placeTables } from "./tables.ts";
import { writeModule } from "./write-module.ts";

export interface LinkOutcome {
  readonly refusals: readonly Refusal[];
  readonly objects: readonly ObjectRecord[];
  readonly newFunctions: readonly string[];
  readonly needs: readonly NeedRecord[];
  readonly notes: readonly Note[];
  /** The livepatch with its metadata in it. Only to be called where there are no refusals. */
  write(metadata: Buffer): Buffer;
}

interface PlacedUnit {
  readonly unit: LinkUnit;
  readonly pieces: readonly Piece[];
  readonly placements: ReadonlyMap<Atom, Placement>;
  readonly binder: Binder;
}

/** @param imports what the module's own code needs of the kernel: `klp_enable_patch` and the like */
export function linkLivepatch(request: LinkRequest, imports: (name: string) => Origin): LinkOutcome {
  const image = new Image();
  const refusals: Refusal[] = [];
  const notes: Note[] = [];
  const thisModule = placeThisModule(image, request);
  const importTarget = (name: string): FieldTarget => ({ kind: "origin", origin: imports(name), waitsFor: "vmlinux" });
  const placed = placeUnits(request.units, image);
  for (const it of placed) {
    for (const piece of it.pieces) {
      const placement = it.placements.get(piece.atom);
      if (placement === undefined) continue;
      it.binder.bind(piece.references, placement.section, placement.offset);
      const outcome = placeTables(piece, image, it.binder, it.unit);
      notes.push(...outcome.notes);
      refusals.push(...outcome.refusals, ...lateAlternatives(piece, it));
    }
  }
  const objects = objectsOf(placed, (unit, exits) =>
    placeExitSwitch(image, unit.object, exits, thisModule, importTarget, request.target),
  );
  refusals.push(
    ...objects.flatMap((it) => it.refusals),
    ...placed.flatMap(({ binder }) => [...binder.refusals.values()]),
    ...stateRefusals(
      placed.flatMap(({ pieces }) => pieces),
      request.target.layouts,
    ),
  );
  const { layouts } = request.target;
  const patch = placeKlpPatch(objects, endStates(image, layouts), request.replace, layouts, image, thisModule);
  placeEntryPoints(image, thisModule, patch, importTarget, request.target);
  const origins = originsOf(image);
  placeModinfo(image, request, origins);
  placeVersions(image, request, origins);
  return {
    refusals,
    notes,
    objects: objects.map(({ record }) => record),
    newFunctions: request.units.flatMap(({ selection }) => selection.newFunctions),
    needs: origins.map(needOf),
    write: (metadata) => writeModule(image, metadata),
  };
}

function placeUnits(units: readonly LinkUnit[], image: Image): PlacedUnit[] {
  const others = new Map<string, FieldTarget>();
  return units
    .map((unit) => {
      const pieces = unit.selection.pieces.filter((piece) => !isCallbackPiece(piece));
      const placements = placePieces(pieces, image);
      for (const [name, target] of globalsOf(unit, placements)) others.set(name, target);
      return { unit, pieces, placements };
    })
    .map((it) => ({ ...it, binder: new Binder(it.unit, image, it.placements, others) }));
}

/** New functions and variables that other units can see. */
function globalsOf(unit: LinkUnit, placements: ReadonlyMap<Atom, Placement>): [string, FieldTarget][] {
  const isPatched = new Set<Atom>(unit.selection.funcs.map(({ patched }) => patched));
  return [...placements].flatMap(([atom, { section, offset }]) =>
    isPatched.has(atom)
      ? []
      : atom.symbols
          .filter((symbol) => symbol.binding !== 0)
          .map((symbol): [string, FieldTarget] => [
            symbol.name,
            { kind: "section", section, offset: offset + symbol.value - atom.start },
          ]),
  );
}

interface LinkedObject extends KlpObject {
  readonly record: ObjectRecord;
  readonly refusals: readonly Refusal[];
}

type ExitSwitch = (
  unit: LinkUnit,
  exits: { patched: FieldTarget; original: FieldTarget },
) => { readonly pre_patch: FieldTarget; readonly post_unpatch: FieldTarget };

/** The units by the object that they are part of. */
function objectsOf(placed: readonly PlacedUnit[], exitSwitch: ExitSwitch): LinkedObject[] {
  const names = [...new Set(placed.map(({ unit }) => unit.object))];
  return names.map((name) => {
    const refusals: Refusal[] = [];
    const units = placed.filter(({ unit }) => unit.object === name);
    const funcs = units.flatMap((it) => it.unit.selection.funcs.flatMap((func) => klpFunc(func, it, refusals)));
    const callbacks = units.reduce<Callbacks>((known, it) => {
      const own = callbacksOf(it.unit.selection.pieces, it.binder, refusals);
      const exit = exitCallbacks(it, exitSwitch, refusals);
      return mergeCallbacks([known, own, exit], name, refusals);
    }, {});
    const record: ObjectRecord = {
      name,
      funcs: units.flatMap(({ unit }) =>
        [...unit.selection.funcs, ...(unit.selection.moduleExit === undefined ? [] : [unit.selection.moduleExit])].map(
          (func) => funcRecord(func, unit),
        ),
      ),
      callbacks: Object.keys(callbacks).sort(),
    };
    return { name, funcs, callbacks, record, refusals };
  });
}

function klpFunc(func: SelectedFunc, { unit, placements }: PlacedUnit, refusals: Refusal[]): KlpFunc[] {
  const located = unit.locateFunc(func.original);
  const placement = placements.get(func.patched);
  if (located === undefined || placement === undefined) {
    refusals.push(
      refusal(
        "FUNCTION_NOT_PROVED",
        `${func.name} is changed, and the one that ships is not the one that the original compiles to`,
        unit.selection.unit,
        "see what the match says of it; a weak function that is overridden, or another source, is a usual cause",
      ),
    );
    return [];
  }
  const first = func.patched.symbols.find((symbol) => symbol.name === func.name) ?? func.patched.symbols[0];
  const entry = (first?.value ?? func.patched.start) - func.patched.start;
  const newFunction: FieldTarget = { kind: "section", section: placement.section, offset: placement.offset + entry };
  return [{ name: located.name, sympos: located.sympos, newFunction }];
}

function funcRecord(func: SelectedFunc, unit: LinkUnit): ObjectRecord["funcs"][number] {
  const located = unit.locateFunc(func.original);
  return {
    name: located?.name ?? func.name,
    sympos: located?.sympos ?? 0,
    source: unit.selection.unit,
    why: func.why,
    size: { original: func.original.end - func.original.start, patched: func.patched.end - func.patched.start },
  };
}

function exitCallbacks(
  { unit, placements, binder }: PlacedUnit,
  exitSwitch: ExitSwitch,
  refusals: Refusal[],
): Callbacks {
  const { moduleExit } = unit.selection;
  const placement = moduleExit === undefined ? undefined : placements.get(moduleExit.patched);
  if (moduleExit === undefined || placement === undefined) return {};
  const symbol = moduleExit.patched.symbols.find(({ name }) => name === "cleanup_module");
  const offset = (symbol?.value ?? 0) - moduleExit.patched.start;
  const original = binder.target({ kind: "original", atom: moduleExit.original, offset: 0 });
  if (original === undefined) return {};
  if (unit.locateFunc(moduleExit.original) === undefined)
    klpFunc(moduleExit, { unit, placements, binder, pieces: [] }, refusals);
  const { pre_patch, post_unpatch } = exitSwitch(unit, {
    patched: { kind: "section", section: placement.section, offset: placement.offset + offset },
    original,
  });
  return { pre_patch: { target: pre_patch, addend: 0 }, post_unpatch: { target: post_unpatch, addend: 0 } };
}

function mergeCallbacks(all: readonly Callbacks[], object: string, refusals: Refusal[]): Callbacks {
  const merged: Record<string, Callback> = {};
  for (const callbacks of all) {
    for (const [name, callback] of Object.entries(callbacks)) {
      if (callback === undefined) continue;
      if (merged[name] !== undefined && merged[name] !== callback) {
        refusals.push(
          refusal(
            "CALLBACK_TWICE",
            `${object} has more than one ${name.replace("_", "-")} callback`,
            object,
            "an object has one of each kind: call the others from it",
          ),
        );
      }
      merged[name] = callback;
    }
  }
  return merged;
}

/** Alternative instructions are put in place when the livepatch is loaded, before a module that it waits for is there. */
function lateAlternatives({ atom, references }: Piece, { binder, unit }: PlacedUnit): Refusal[] {
  if (atom.section.name !== ".altinstr_replacement") return [];
  const isLate = references.some(({ destination }) => {
    const target = binder.target(destination);
    return target?.kind === "origin" && target.origin.kind === "livepatch" && target.origin.object !== "vmlinux";
  });
  if (!isLate) return [];
  return [
    refusal(
      "ALTERNATIVE_OF_MODULE",
      `an alternative instruction refers to ${unit.object}, which a livepatch cannot bind in time`,
      `${unit.selection.unit}: ${atom.section.name}`,
      "decide in code, with an ordinary condition",
    ),
  ];
}

function originsOf(image: Image): Origin[] {
  const origins = new Map<string, Origin>();
  for (const section of image.sections.values())
    for (const { target } of section.fields)
      if (target.kind === "origin") origins.set(JSON.stringify(target.origin), target.origin);
  return [...origins].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, origin]) => origin);
}

function needOf(origin: Origin): NeedRecord {
  return origin.kind === "exported"
    ? { name: origin.name, object: origin.module ?? "vmlinux", by: "exported", sympos: 0 }
    : { name: origin.name, object: origin.object, by: "livepatch", sympos: origin.sympos };
}
