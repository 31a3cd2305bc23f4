/**
 * A livepatch whose functions are all switched at one moment: what
 * include/suture/switch.c, which does it, is told.
 */

import type { SelectedFunc, SelectedWord, WordValue } from "../diff/selection.ts";
import { switchPlace } from "../diff/switch-place.ts";
import type { Atom } from "../diff/unit.ts";
import type { RefusalCode } from "../lib/codes.ts";
import { madeOf } from "../patch/findings.ts";
import type { Note, ObjectRecord } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { callbacksOf } from "./callbacks.ts";
import type { FieldTarget, Image } from "./image.ts";
import { funcRecord, klpFunc, type LinkedObject, mergeCallbacks } from "./objects.ts";
import { offsetOf } from "./place-pieces.ts";
import type { PlacedUnit } from "./placed-unit.ts";
import {
  type Place,
  type Pointer,
  placeSwitchTable,
  type Range,
  type SwitchTable,
  type Value,
  type Word,
} from "./switch-table.ts";

/** struct suture_switch, by this name. */
export const SWITCH_SYMBOL = "suture_switch";

/** For the reader of `explain`. */
export function switchNotes(changed: readonly PlacedUnit[]): Note[] {
  const needing = changed.flatMap(({ unit }) => unit.selection.funcs).filter(({ by }) => by === "switch");
  const names = needing.map(({ name }) => name).join(", ");
  const words = changed.flatMap(({ unit }) => unit.selection.words);
  const values = [...new Set(words.map(({ atom }) => atom.name))];
  const why = [
    ...(needing.length > 0 ? [`ftrace has no hook in ${names}`] : []),
    ...(values.length > 0
      ? [`${values.join(", ")} is in use and overwritten, which changes nothing of what was made of the old value`]
      : []),
    ...(changed.some(({ unit }) => unit.selection.atOnce === true) ? ["a struct's layout is changed"] : []),
  ];
  return [
    {
      code: "SWITCHED_AT_ONCE",
      text:
        `${why.join(", and ")}: the whole machine stands still for a moment, and all is switched at once; ` +
        "sysfs does not show the functions, and a livepatch that replaces this one does not take it back: disable this one first",
    },
    ...words.flatMap(copyNote),
  ];
}

function copyNote({ atom, after: { copied, pointer } }: SelectedWord): Note[] {
  if (copied === undefined || pointer?.destination.kind !== "piece") return [];
  const { name } = pointer.destination.atom;
  const text = `${atom.name} points to a copy of the new ${name}, whose ${copied} bytes stay when the livepatch is unloaded: somebody may still read them`;
  return [{ code: "COPY_STAYS", text }];
}

interface SwitchedObject extends LinkedObject {
  readonly table: FieldTarget;
}

/**
 * The one object of such a livepatch. Its functions are in no klp_func, which
 * would switch some of them before others.
 * @param support the unit of switch.c, whose callbacks do the work and call the diff's own
 */
export function switchedObject(
  placed: readonly PlacedUnit[],
  support: PlacedUnit,
  { newCode, livepatch }: Pick<SwitchTable, "newCode" | "livepatch">,
  image: Image,
): SwitchedObject {
  const refusals: Refusal[] = [];
  const names = [...new Set(placed.map(({ unit }) => unit.object))];
  const [name = "vmlinux"] = names;
  const needing = placed.flatMap(({ unit }) => unit.selection.funcs).find(({ by }) => by === "switch");
  if (names.length > 1) {
    const isLayout = placed.some(({ unit }) => unit.selection.atOnce === true);
    const [code, why]: readonly [RefusalCode, string] =
      needing !== undefined
        ? ["NO_HOOK", `${needing.name} has no hook at its entry`]
        : isLayout
          ? ["DATA_LAYOUT_CHANGED", "a struct's layout is changed"]
          : ["CONSTANT_IN_USE", "a constant in use is changed"];
    refusals.push(
      refusal(
        code,
        `${why}, and ${names.join(" and ")} cannot be switched at one moment`,
        names.join(", "),
        "make a livepatch of the part for each object",
      ),
    );
  }
  const functions = placed.flatMap((it) => functionsOf(it).map((func) => ({ func, it })));
  const { callbacks: own, ...merged } = mergeCallbacks(
    placed.map((it) => callbacksOf(it.unit.selection.pieces, it.binder)),
    name,
  );
  const found = functions.map(({ func, it }) => placeOf(func, it));
  const places = found.flatMap((each) => each.places);
  const values = placed.flatMap((it) => it.unit.selection.words.map((word) => wordOf(word, it)));
  const words = values.flatMap((each) => each.words);
  const isReachable = placed.some((it) => it.unit.selection.words.some(isIntoLivepatch));
  const table = placeSwitchTable(
    { livepatch, places, oldCode: oldCodeOf(placed), newCode, words, isReachable, callbacks: own },
    image,
  );
  const record: ObjectRecord = {
    name,
    funcs: functions.map(({ func, it }) => ({ ...funcRecord(func, it.unit), by: "switch" })),
    callbacks: Object.keys(own).sort(),
    ...(words.length > 0 ? { values: [...new Set(words.map((word) => word.name))] } : {}),
  };
  const doing = callbacksOf(support.unit.selection.pieces, support.binder);
  refusals.push(...[merged, ...found, ...values, doing].flatMap((each) => each.refusals));
  return { name, funcs: [], callbacks: { ...own, ...doing.callbacks }, record, refusals, table };
}

/** A module's exit function is one like the others, since nothing has to be called through its pointer. */
function functionsOf({ unit: { selection } }: PlacedUnit): SelectedFunc[] {
  return selection.moduleExit === undefined ? [...selection.funcs] : [...selection.funcs, selection.moduleExit];
}

function placeOf(
  func: SelectedFunc,
  it: PlacedUnit,
): { readonly places: readonly Place[]; readonly refusals: readonly Refusal[] } {
  const { made, refusals } = madeOf([klpFunc(func, it)]);
  const [klp] = made;
  const place = switchPlace(func.original);
  const at = pointerTo(func.original, place.kind === "place" ? place.offset : 0, it);
  if (place.kind === "none") return { places: [], refusals: [...refusals, noHook(func, it, place.why)] };
  if (klp === undefined || at === undefined) return { places: [], refusals };
  const bytes = wantedBytes(func.original, place.offset);
  return { places: [{ name: klp.name, at, to: { target: klp.newFunction, addend: 0 }, ...bytes }], refusals };
}

function noHook({ name, original }: SelectedFunc, { unit }: PlacedUnit, why: string): Refusal {
  return refusal(
    "NO_HOOK",
    `${name} is changed, ${why}, and all functions of the livepatch have to be switched at one moment`,
    `${unit.selection.unit}: ${original.section.name}`,
    "make a livepatch of its own for what has no hook, or change the function's callers",
  );
}

function pointerTo(atom: Atom, offset: number, { binder }: PlacedUnit): Pointer | undefined {
  const destination = { kind: "original", atom, offset } as const;
  const target = binder.target(destination);
  return target === undefined ? undefined : { target, addend: offsetOf(destination) };
}

/** What a relocation fills in is not compared. */
function wantedBytes(original: Atom, from: number): { readonly expected: Buffer; readonly mask: Buffer } {
  const { elf, kernel } = original.section.arch;
  const size = kernel.entryJump?.size ?? 0;
  const expected = Buffer.alloc(8);
  const mask = Buffer.alloc(8);
  original.data.copy(expected, 0, from, from + size);
  mask.fill(0xff, 0, size);
  for (const { offset, type } of original.references) {
    const end = offset + (elf.relocationSize(type) ?? 0);
    for (let i = Math.max(offset, from); i < Math.min(end, from + size); i++) mask[i - from] = 0;
  }
  return { expected, mask };
}

function oldCodeOf(placed: readonly PlacedUnit[]): Range[] {
  return placed.flatMap((it) =>
    it.unit.selection.oldCode.flatMap((atom): Range[] => {
      const from = pointerTo(atom, 0, it);
      return from === undefined ? [] : [{ name: atom.name, from, bytes: atom.end - atom.start }];
    }),
  );
}

function wordOf(
  word: SelectedWord,
  it: PlacedUnit,
): { readonly words: readonly Word[]; readonly refusals: readonly Refusal[] } {
  const at = pointerTo(word.atom, word.offset, it);
  if (at === undefined) return { words: [], refusals: [] };
  const refusals = isOfAnotherFile(word.after, it) ? [dangling(word, it)] : [];
  const { atom, size: bytes } = word;
  const { copied = 0 } = word.after;
  const from = word.entry === undefined ? undefined : pointerTo(atom, word.entry.offset, it);
  const entry = from && word.entry && { from, bytes: word.entry.size };
  const [before, after] = [valueIn(word.before, it), valueIn(word.after, it)];
  return { words: [{ name: atom.name, at, bytes, before, after, copied, entry }], refusals };
}

function isIntoLivepatch({ after }: SelectedWord): boolean {
  return after.pointer?.destination.kind === "piece" && after.copied === undefined;
}

function valueIn({ bytes, pointer }: WordValue, { binder }: PlacedUnit): Value {
  if (pointer === undefined) return { kind: "bytes", bytes };
  return { kind: "pointer", bind: (section, offset) => binder.bind([pointer], section, offset) };
}

/** What another file of the diff defines anew is gone when the livepatch is unloaded, and who holds the word is not known. */
function isOfAnotherFile({ pointer }: WordValue, { binder }: PlacedUnit): boolean {
  if (pointer === undefined || pointer.destination.kind === "piece") return false;
  return binder.target(pointer.destination)?.kind === "section";
}

function dangling({ atom, offset }: SelectedWord, { unit }: PlacedUnit): Refusal {
  return refusal(
    "CONSTANT_IN_USE",
    `${atom.name} would point into the livepatch at +0x${offset.toString(16)}, and outlives it`,
    `${unit.selection.unit}: ${atom.section.name}`,
    "set the pointer in a post-patch callback, and back in a pre-unpatch one",
  );
}
