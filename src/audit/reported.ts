/** What the compiler's checks of undefined behaviour (-fsanitize=undefined) hand to the kernel, where they stand in their file. */
import { isStrings, isWritable, type PlainObject } from "./plain-object.ts";
import { type Spot, stringAt } from "./strings.ts";

const SOURCE_FILE = /\.[ch]$/;
/** struct source_location of the kernel's lib/ubsan.h: the address of a file's name, then a line and a column of 32 bits. */
const LINE_AT = 8;
const LOCATION_BYTES = 16;

/**
 * Bytes [from, to) of what begins at `spot`, `length` bytes long, that are a line and a column,
 * which the kernel only prints; none where no such thing begins there.
 */
export function reportedIn(object: PlainObject, { section, offset }: Spot, length: number): readonly [number, number] {
  const [file] = object.fieldsIn(section, offset, offset + 1);
  if (file?.offset !== offset || file.size !== LINE_AT || length < LOCATION_BYTES || !isWritable(section)) return NONE;
  const place = object.placeOf(file);
  if (place.kind !== "anonymous" || !isStrings(place.section)) return NONE;
  const name = stringAt(place.section, place.offset).toString("latin1").replace(/\0+$/, "");
  return SOURCE_FILE.test(name) ? [LINE_AT, LOCATION_BYTES] : NONE;
}

const NONE = [0, 0] as const;
