/**
 * From what the object diffs selected to a livepatch for programs: a
 * relocatable file in the kernel's livepatch ELF format, which the loader of
 * src/process/loader takes in. Each object's sections are its own.
 */

import { leftBehind } from "../diff/outlive/left-behind.ts";
import { programContracts } from "../diff/outlive/program-contracts.ts";
import { stayNotes, staysOf } from "../diff/outlive/stays.ts";
import type { Piece, SelectedFunc } from "../diff/selection.ts";
import type { Atom } from "../diff/unit.ts";
import { SHF, SHT, STT } from "../elf/constants.ts";
import type { RefusalCode } from "../lib/codes.ts";
import { madeOf } from "../patch/findings.ts";
import type { NeedRecord } from "../patch/metadata.ts";
import {
  CALLBACK_NAMES,
  type ProgramFuncRecord,
  type ProgramObjectRecord,
  type StateRecord,
  siteName,
} from "../patch/program-metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { callbacksOf, isCallbackPiece } from "./callbacks.ts";
import { type FieldTarget, Image, type OutputSection } from "./image.ts";
import type { ProgramOrigin } from "./input.ts";
import { newNameOf } from "./objects.ts";
import type { LinkOutcome } from "./outcome.ts";
import { Binder, type Placement, placePieces } from "./place-pieces.ts";
import { globalsOf, newEntry, notProved } from "./placed-unit.ts";
import { endFrames, placeFrames } from "./program-frames.ts";
import type { ProgramLinkRequest, ProgramLinkUnit, ProgramObject } from "./program-input.ts";
import { statesOf } from "./program-states.ts";
import { STATES_SECTION } from "./states.ts";
import { writeModule } from "./write-module.ts";

/** What the metadata says of the livepatch, and the livepatch itself once that is written out. */
export interface ProgramLinkOutcome extends LinkOutcome<ProgramObjectRecord> {
  readonly states: readonly StateRecord[];
}

/** Lays out all objects' parts in one file. What cannot be linked is in `refusals`. */
export function linkProgramLivepatch(request: ProgramLinkRequest): ProgramLinkOutcome {
  const image = new Image(request.arch);
  const outcomes = request.objects.map((object) =>
    linkObject(
      object,
      request.units.filter((unit) => unit.object === object.name),
      image,
    ),
  );
  const { states, refusals: stateRefusals } = statesOf(
    request.units.flatMap(({ selection }) => selection.pieces),
    request.arch.elf,
  );
  const origins = originsOf(image);
  const stays = staysOf(
    request.units.map((unit) => ({
      selection: unit.selection,
      isThere: (atom) => unit.locate(atom) !== undefined,
      isRunning: (literal) => unit.literal?.(literal) !== undefined,
    })),
    programContracts(),
  );
  return {
    refusals: [...outcomes.flatMap(({ refusals }) => refusals), ...stateRefusals, ...leftBehind(request.units, stays)],
    objects: outcomes.map(({ record }) => record),
    newFunctions: request.units.flatMap(({ selection }) => selection.newFunctions),
    needs: origins.map(needOf),
    states,
    notes: stayNotes(stays),
    stays,
    write: (metadata) => writeModule(image, metadata),
  };
}

/** One object's part of the livepatch: the same sections under names of its own. */
class ObjectImage extends Image {
  readonly #whole: Image;
  readonly #object: string;

  constructor(whole: Image, object: string) {
    super(whole.arch);
    this.#whole = whole;
    this.#object = object;
  }

  override section(name: string, flags: number, type: number = SHT.PROGBITS, entrySize = 0): OutputSection {
    const section = this.#whole.section(`${name}.${this.#object}`, flags, type, entrySize);
    this.sections.set(name, section);
    return section;
  }
}

interface PlacedUnit {
  readonly unit: ProgramLinkUnit;
  readonly pieces: readonly Piece[];
  readonly placements: ReadonlyMap<Atom, Placement>;
  readonly binder: Binder;
}

interface ObjectOutcome {
  readonly record: ProgramObjectRecord;
  readonly refusals: readonly Refusal[];
}

function linkObject(object: ProgramObject, units: readonly ProgramLinkUnit[], whole: Image): ObjectOutcome {
  const image = new ObjectImage(whole, object.name);
  const refusals: Refusal[] = [];
  const placed = placeUnits(units, image);
  for (const { pieces, placements, binder, unit } of placed) {
    refusals.push(...pieces.flatMap((piece) => threadLocal(piece, unit)));
    for (const piece of pieces) {
      const placement = placements.get(piece.atom);
      if (placement !== undefined) binder.bind(piece.references, placement.section, placement.offset);
    }
    refusals.push(...exceptions(unit, placeFrames(unit.patched, pieces, placements, image)));
  }
  endFrames(image);
  const funcs = madeOf(placed.flatMap((it) => it.unit.selection.funcs.map((func) => placeFunc(func, it, image))));
  const { callbacks, refusals: wrong } = placeCallbacks(placed, object, image);
  refusals.push(...funcs.refusals, ...wrong, ...placed.flatMap(({ binder }) => binder.refusals));
  whole.symbols.push(...image.symbols);
  const sections = [...new Set(image.sections.values())].filter(({ size }) => size > 0).map(({ name }) => name);
  return { record: { ...object, sections, funcs: funcs.made, callbacks }, refusals };
}

function placeUnits(units: readonly ProgramLinkUnit[], image: Image): PlacedUnit[] {
  const others = new Map<string, FieldTarget>();
  return units
    .map((unit) => {
      const pieces = unit.selection.pieces.filter(
        (piece) => !isCallbackPiece(piece) && piece.atom.section.name !== STATES_SECTION,
      );
      const placements = placePieces(pieces, image);
      for (const [name, target] of globalsOf(unit.selection, placements)) others.set(name, target);
      return { unit, pieces, placements };
    })
    .map((it) => ({ ...it, binder: new Binder(it.unit, image, it.placements, others) }));
}

function threadLocal({ atom }: Piece, { selection }: ProgramLinkUnit): Refusal[] {
  if ((atom.section.flags & SHF.TLS) === 0) return [];
  return [
    refusal(
      "THREAD_LOCAL_NEW",
      `the thread-local variable ${atom.name} is new or changed, and threads that run have no room for it`,
      `${selection.unit}: ${atom.section.name}`,
      "keep it in a shadow variable of the thread (docs/callbacks.md), or in one that is not thread-local",
    ),
  ];
}

/** C++: what has to be done while an exception passes by, or catches it, stays behind with the tables that say so. */
function exceptions({ selection }: ProgramLinkUnit, landing: readonly Atom[]): Refusal[] {
  return [...new Set(landing)].map((atom) =>
    refusal(
      "EXCEPTIONS",
      `the new version of ${atom.name} has handlers or cleanups for exceptions, or must let none pass, and they would not be found`,
      selection.unit,
      "change a function that exceptions only pass through, or that handles none",
    ),
  );
}

function placeFunc(func: SelectedFunc, { unit, placements }: PlacedUnit, image: Image): ProgramFuncRecord | Refusal {
  const located = unit.locateFunc(func.original);
  const placement = placements.get(func.patched);
  if (located === undefined || placement === undefined)
    return notProved(func, unit.selection, "another compiler, other flags or another source");
  const { name, sympos, address, ranges, padding } = located;
  const { section, offset: value } = newEntry(func, placement);
  const size = func.patched.end - func.patched.start;
  const symbol = siteName(unit.object, located);
  image.symbols.push({ name: symbol, section, value, size, type: STT.FUNC, isGlobal: true });
  return {
    name,
    sympos,
    source: unit.selection.unit,
    why: func.why,
    address,
    ranges,
    ...(padding === undefined ? {} : { padding }),
    ...newNameOf(func),
    size: { original: func.original.end - func.original.start, patched: size },
    symbol,
  };
}

function placeCallbacks(
  placed: readonly PlacedUnit[],
  object: ProgramObject,
  image: Image,
): { readonly callbacks: ProgramObjectRecord["callbacks"]; readonly refusals: readonly Refusal[] } {
  const refusals: Refusal[] = [];
  const symbols: { -readonly [Name in keyof ProgramObjectRecord["callbacks"]]: string } = {};
  for (const { unit, binder } of placed) {
    const { callbacks, refusals: malformed } = callbacksOf(unit.selection.pieces, binder);
    refusals.push(...malformed);
    for (const name of CALLBACK_NAMES) {
      const callback = callbacks[name];
      if (callback === undefined) continue;
      const kind = name.replace("_", "-");
      const refuse = (code: RefusalCode, what: string, hint: string) =>
        refusals.push(refusal(code, what, unit.selection.unit, hint));
      if (symbols[name] !== undefined) {
        const what = `${object.name} has more than one ${kind} callback`;
        refuse("CALLBACK_TWICE", what, "an object has one of each kind: call the others from it");
      } else if (callback.target.kind !== "section") {
        const what = `the ${kind} callback of ${object.name} is a function that the program has already`;
        refuse("CALLBACK_MALFORMED", what, "make the callback a new function, which calls that one");
      } else {
        const { section, offset } = callback.target;
        const symbol = `${object.name}:${name}`;
        const value = offset + callback.addend;
        image.symbols.push({ name: symbol, section, value, size: 0, type: STT.FUNC, isGlobal: true });
        symbols[name] = symbol;
      }
    }
  }
  return { callbacks: symbols, refusals };
}

function originsOf(image: Image): ProgramOrigin[] {
  const origins = new Map<string, ProgramOrigin>();
  for (const { fields } of image.sections.values())
    for (const { target } of fields)
      if (target.kind === "origin" && target.origin.kind === "program")
        origins.set(JSON.stringify(target.origin), target.origin);
  return [...origins].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, origin]) => origin);
}

function needOf({ name, object, sympos, address }: ProgramOrigin): NeedRecord {
  return { name, object, sympos, by: address === undefined ? "exported" : "livepatch" };
}
