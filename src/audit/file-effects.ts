/**
 * What the file of a kernel's livepatch does to what runs, as the structs in it
 * tell that the kernel's livepatch core (struct klp_func) and
 * include/suture/switch.h (struct suture_place, struct suture_word) lay down.
 */
import type { KernelLayouts } from "../btf/kernel-layouts.ts";
import type { ElfFile, ElfSection } from "../elf/model.ts";
import type { Words } from "../elf/words.ts";
import type { Difference } from "./compare.ts";
import { plainName, runningName } from "./names.ts";
import { type Field, isCode, isWritable, type Named, type Place, PlainObject } from "./plain-object.ts";
import { contentsOf, isOne, type Sides } from "./pointed-contents.ts";
import { stringAt } from "./strings.ts";

/**
 * What a livepatch does to what runs. Told from the bytes of its file where it is a
 * kernel's; what it says of itself is held against this.
 */
export interface FileEffects {
  /** Whether the entry of the running function leads to the livepatch's of that new name; or the module's pointer to it does. */
  redirects(name: string, newName: string): boolean;
  /** Whether anything of the running variable or constant is overwritten. */
  writes(name: string): boolean;
  /** Whether all in which the patched side differs from the original one is overwritten with what it has. */
  overwrites(difference: Pick<Difference, "name" | "original" | "patched">, sides: Sides): boolean;
  /** Whether it has what the diff asks for by a variable that include/suture/livepatch.h makes: a callback, a state. */
  grants(request: Named, targets: readonly Named[]): boolean;
}

/** Sections of such variables. */
export const REQUEST = /^\.suture\.(callback\.|states$)/;

/** By include/suture/livepatch.h, a struct klp_state of the kernel or of suture's own core. */
export function stateIn({ section, start }: Named, words: Words): { readonly id: number; readonly version: number } {
  const { data } = section;
  return { id: Number(words.u64(data, start)), version: words.u32(data, start + 8) };
}

/** What is to be written into the running object. */
interface Word {
  /** In the variable. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  readonly after: Buffer;
  /** Where it is to point to. */
  readonly place: Place | undefined;
}

/** Bytes from `to` of a struct suture_place. */
const PLACE_NAME = 8;
/** Bytes from `at` of a struct suture_word. */
const WORD = { after: 16, name: 24, size: 32 } as const;
const WORD_BYTES = 8;

/** @param objects names of all objects that the livepatch speaks of */
export function effectsOf(
  file: ElfFile,
  klpFunc: KernelLayouts["structs"]["klp_func"],
  objects: ReadonlySet<string>,
): FileEffects {
  const object = new PlainObject(file);
  /** For names, those of the functions that stand beside them in a struct that redirects. */
  const leads = new Map<string, Set<string>>();
  const leadTo = (name: string, newName: string) =>
    leads.set(name, (leads.get(name) ?? new Set()).add(plainName(newName)));
  /** Functions that variables of the livepatch point to. */
  const held = new Set<string>();
  const words = new Map<string, Word[]>();
  for (const section of object.file.sections) {
    const fields = new Map(object.fieldsIn(section).map((field) => [field.offset, field] as const));
    const textAt = (offset: number): string | undefined => stringOf(object, fields.get(offset));
    for (const field of fields.values()) {
      const place = object.placeOf(field);
      if (place.kind === "named" && place.named.kind === "function") {
        if (isCode(section) && isExitSwitch(object.covering(section, field.offset)))
          leadTo(place.named.name, place.named.name);
        if (!isWritable(section)) continue;
        held.add(place.named.name);
        for (const name of [textAt(field.offset + fromNew(klpFunc)), textAt(field.offset + PLACE_NAME)])
          if (name !== undefined) leadTo(name, place.named.name);
      } else if (place.kind === "elsewhere" && isWritable(section)) {
        // What is exported goes by its own name.
        const name = runningName(place.name, objects) ?? place.name;
        if (textAt(field.offset + WORD.name) !== name) continue;
        const word = wordAt(object, section, field.offset, fields);
        words.set(name, [...(words.get(name) ?? []), { ...word, offset: place.offset }]);
      }
    }
  }
  return {
    redirects: (name, newName) => leads.get(name)?.has(plainName(newName)) === true,
    writes: (name) => words.has(name),
    overwrites: ({ name, original, patched }, sides) => {
      const list = words.get(name);
      if (list === undefined || original === undefined || patched === undefined) return false;
      return isAllWritten({ original, patched }, sides, list, objects);
    },
    grants: (request, targets) =>
      request.section.name === ".suture.states"
        ? hasState(object, request)
        : targets.length > 0 && targets.every(({ name }) => held.has(name)),
  };
}

function hasState(object: PlainObject, { section, start }: Named): boolean {
  const state = section.data.subarray(start, start + STATE_BYTES);
  return object.file.sections.some((each) => isWritable(each) && each.data.includes(state));
}

/** id and version, one after the other. */
const STATE_BYTES = 12;

/** The callback that sets a module's pointer to its exit function. */
function isExitSwitch(named: Named | undefined): boolean {
  return named?.name.startsWith("suture_exit_patched_") === true;
}

/** Bytes from a klp_func's pointer to the new function to the one to its name. */
function fromNew(klpFunc: KernelLayouts["structs"]["klp_func"]): number {
  return (klpFunc?.offsets["old_name"] ?? Number.NaN) - (klpFunc?.offsets["new_func"] ?? Number.NaN);
}

function stringOf(object: PlainObject, field: Field | undefined): string | undefined {
  const place = field && object.placeOf(field);
  if (place === undefined || place.kind === "elsewhere") return undefined;
  const [section, at] =
    place.kind === "named" ? [place.named.section, place.named.start + place.offset] : [place.section, place.offset];
  if (at < 0) return undefined;
  return stringAt(section, at).toString("latin1").replace(/\0$/, "");
}

function wordAt(
  object: PlainObject,
  { data }: ElfSection,
  at: number,
  fields: ReadonlyMap<number, Field>,
): Omit<Word, "offset"> {
  const pointer = fields.get(at + WORD.after);
  const after = data.subarray(at + WORD.after, at + WORD.after + WORD_BYTES);
  const size = data.length < at + WORD.size + 8 ? 0 : object.arch.elf.words.size(data, at + WORD.size);
  return { size, after, place: pointer === undefined ? undefined : object.placeOf(pointer) };
}

function isAllWritten(
  { original, patched }: Readonly<Record<"original" | "patched", Named>>,
  sides: Sides,
  words: readonly Word[],
  objects: ReadonlySet<string>,
): boolean {
  const size = patched.end - patched.start;
  if (original.end - original.start !== size) return false;
  const [before, after] = [contentsOf(sides.original, original), contentsOf(sides.patched, patched)];
  const isWritten = (at: number): boolean => words.some((word) => word.offset <= at && at < word.offset + word.size);
  for (let at = 0; at < size; at++) if (before.bytes[at] !== after.bytes[at] && !isWritten(at)) return false;
  for (const at of new Set([...before.pointers.keys(), ...after.pointers.keys()])) {
    const [mine, other] = [before.pointers.get(at), after.pointers.get(at)];
    const isSame = mine !== undefined && other !== undefined && isOne(mine, other, objects);
    if (!isSame && !isWritten(at)) return false;
  }
  return words.every(({ offset, size: length, after: bytes, place }) => {
    const wanted = after.pointers.get(offset);
    if (place !== undefined) return wanted !== undefined && isOne(place, wanted, objects);
    return wanted === undefined && after.bytes.subarray(offset, offset + length).equals(bytes.subarray(0, length));
  });
}
