/** What the compiler's checks of undefined behaviour (-fsanitize=undefined) hand to the kernel: where they stand in their file, and types by their names. */
import { isStrings, isWritable, type PlainObject } from "./plain-object.ts";
import { type Spot, stringAt } from "./strings.ts";

const SOURCE_FILE = /\.[ch]$/;
/** struct source_location of the kernel's lib/ubsan.h: the address of a file's name, then a line and a column of 32 bits. */
const LINE_AT = 8;
const LOCATION_BYTES = 16;
/** struct type_descriptor: a kind, what that needs, and a name in quotes. */
const TYPE_NAME_AT = 4;
const QUOTE = 0x27;

/**
 * Bytes [from, to) of what begins at `spot`, `length` bytes long, that are a line and a column,
 * which the kernel only prints; none where no such thing begins there.
 */
export function reportedIn(object: PlainObject, spot: Spot, length: number): readonly [number, number] {
  return length >= LOCATION_BYTES && isLocation(object, spot) ? [LINE_AT, LOCATION_BYTES] : [0, 0];
}

/**
 * How much of `length` bytes is the one thing that begins at `spot`, where that is one of these: others may
 * follow that no code refers to, since what used them was optimized away.
 */
export function ownLength(object: PlainObject, { section, offset }: Spot, length: number): number {
  if (isType({ section, offset })) {
    const name = offset + TYPE_NAME_AT;
    return Math.min(length, TYPE_NAME_AT + section.data.indexOf(0, name) + 1 - name);
  }
  if (!isLocation(object, { section, offset })) return length;
  for (let at = LOCATION_BYTES + LINE_AT; at < length; at += LINE_AT) {
    const next = { section, offset: offset + at };
    if (isLocation(object, next) || isType(next)) return at;
  }
  return length;
}

function isLocation(object: PlainObject, { section, offset }: Spot): boolean {
  const [file] = isWritable(section) ? object.fieldsIn(section, offset, offset + 1) : [];
  if (file?.offset !== offset || file.size !== LINE_AT) return false;
  const place = object.placeOf(file);
  if (place.kind !== "anonymous" || !isStrings(place.section)) return false;
  return SOURCE_FILE.test(stringAt(place.section, place.offset).toString("latin1").replace(/\0+$/, ""));
}

function isType({ section, offset }: Spot): boolean {
  if (!isWritable(section) || section.data[offset + TYPE_NAME_AT] !== QUOTE) return false;
  const end = section.data.indexOf(0, offset + TYPE_NAME_AT);
  return end > offset + TYPE_NAME_AT + 1 && section.data[end - 1] === QUOTE;
}
