/** The linker: from what the object diffs selected to a livepatch module, without kbuild. */
import { kernelContracts } from "../diff/outlive/kernel-contracts.ts";
import { leftBehind } from "../diff/outlive/left-behind.ts";
import { stayNotes, staysOf } from "../diff/outlive/stays.ts";
import type { Piece } from "../diff/selection.ts";
import type { NeedRecord, Note, ObjectRecord, StayRecord } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { type FieldTarget, Image } from "./image.ts";
import type { LinkRequest, Origin } from "./input.ts";
import { placeKlpPatch } from "./klp.ts";
import { loadLimits } from "./load-limits.ts";
import {
  type LinkedModule,
  placeEntryPoints,
  placeExitSwitch,
  placeModinfo,
  placeThisModule,
  placeVersions,
} from "./module.ts";
import { type LinkedObject, objectsOf } from "./objects.ts";
import { needsOfAbsentModules } from "./other-modules.ts";
import type { LinkOutcome } from "./outcome.ts";
import { type PlacedUnit, placeUnits } from "./placed-unit.ts";
import { withRunningConstants } from "./running-constants.ts";
import { endStates, stateRefusals } from "./states.ts";
import { SWITCH_SYMBOL, switchedObject, switchNotes } from "./switch.ts";
import { placeTables } from "./tables.ts";
import { writeModule } from "./write-module.ts";

/** @param imports what the module's own code needs of the kernel: `klp_enable_patch` and the like */
export function linkLivepatch(given: LinkRequest, imports: (name: string) => Origin): LinkOutcome<ObjectRecord> {
  const request = { ...given, units: given.units.map(withRunningConstants) };
  const image = new Image(given.target.arch);
  const refusals: Refusal[] = [];
  const notes: Note[] = [];
  const module: LinkedModule = {
    image,
    target: request.target,
    thisModule: placeThisModule(image, request),
    imports: (name) => ({ kind: "origin", origin: imports(name), waitsFor: "vmlinux" }),
  };
  const others = new Map<string, FieldTarget>();
  const changed = placeUnits(request.units, image, others);
  const switched = placeSwitch(changed, request, module, others);
  if (switched !== undefined) notes.push(...switchNotes(changed));
  const placed = switched === undefined ? changed : [...changed, switched.support];
  for (const it of placed) {
    for (const piece of it.pieces) {
      const placement = it.placements.get(piece.atom);
      if (placement === undefined) continue;
      const outcome = placeTables(piece, image, it.binder, it.unit);
      it.binder.bind(piece.references, placement.section, placement.offset);
      notes.push(...outcome.notes);
      refusals.push(...outcome.refusals, ...lateAlternatives(piece, it));
    }
  }
  const objects =
    switched === undefined
      ? objectsOf(changed, (unit, exits) => placeExitSwitch(module, unit.object, exits))
      : [switched.object];
  refusals.push(
    ...objects.flatMap((it) => it.refusals),
    ...placed.flatMap(({ binder }) => binder.refusals),
    ...needsOfAbsentModules(placed),
    ...stateRefusals(
      placed.flatMap(({ pieces }) => pieces),
      request.target.layouts,
    ),
  );
  const { layouts } = request.target;
  const states = endStates(image, layouts);
  const { thisModule } = module;
  const patch = placeKlpPatch({ objects, states, replace: request.replace, thisModule }, layouts, image);
  // Who switches all functions at one moment looks for tasks in all of its code.
  const unseen = switched === undefined ? changed.flatMap((it) => it.stays) : [];
  const stays = [...staysIn(request), ...unseen];
  refusals.push(...leftBehind(request.units, stays));
  placeEntryPoints(module, patch, stays.length > 0);
  const origins = originsOf(image);
  placeModinfo(image, request, origins);
  placeVersions(image, request, origins);
  const limits = loadLimits(image, request.target.limits);
  refusals.push(...limits.refusals);
  notes.push(...limits.notes);
  return {
    refusals,
    notes: [...notes, ...stayNotes(stays)],
    objects: objects.map(({ record }) => record),
    newFunctions: request.units.flatMap(({ selection }) => selection.newFunctions),
    needs: origins.map(needOf),
    stays,
    write: (metadata) => writeModule(image, metadata),
  };
}

/** The code that switches all functions is its own, and keeps nothing. */
function staysIn({ units }: LinkRequest): StayRecord[] {
  const hasLockdep = units.some((unit) => unit.external(LOCKDEP) !== undefined);
  return staysOf(
    units.map((unit) => ({
      selection: unit.selection,
      isThere: (atom) => unit.locate(atom) !== undefined,
      isRunning: (literal) => unit.literal?.(literal) !== undefined,
    })),
    kernelContracts(hasLockdep),
  );
}

/** What a kernel has that keeps the names and classes of locks. */
const LOCKDEP = "lockdep_init_map_type";

interface Switched {
  readonly object: LinkedObject;
  readonly support: PlacedUnit;
}

/** Lays the code that switches all functions at one moment behind that of the diff, where the livepatch has it. */
function placeSwitch(
  changed: readonly PlacedUnit[],
  request: LinkRequest,
  { image, thisModule }: LinkedModule,
  others: Map<string, FieldTarget>,
): Switched | undefined {
  if (request.switchUnit === undefined) return undefined;
  const text = image.text();
  const from = { target: { kind: "section", section: text, offset: 0 }, addend: 0 } as const;
  const newCode = { name: "its new code", from, bytes: text.size };
  const [support] = placeUnits([request.switchUnit], image, others);
  if (support === undefined) return undefined;
  const { table, ...object } = switchedObject(changed, support, { newCode, livepatch: request.name }, image);
  others.set(SWITCH_SYMBOL, table);
  others.set("__this_module", thisModule);
  return { object, support };
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
