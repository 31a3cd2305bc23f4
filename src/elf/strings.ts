/**
 * Names in string tables. Names are UTF-8; a byte that is not is read as the
 * lone surrogate U+DC00 + byte and written back as that byte, so no name is
 * lost (the idea is Python's PEP 383).
 */

import { isUtf8 } from "node:buffer";
import { corrupt, type Place } from "./fault.ts";
import { LITTLE } from "./words.ts";

/**
 * A reader of the names in a string table, by offset. `count` is how many will
 * be read: together they may be no longer than four times the table and 256 bytes
 * each, since a hostile table makes every name the tail of one long string.
 */
export function nameReader(table: Buffer, count: number, place: Place): (offset: number) => string {
  const text = table.toString("latin1");
  const ascii = !/[\x80-\xff]/.test(text);
  let budget = 4 * text.length + 256 * count;
  return (offset) => {
    if (offset === 0 && text.length === 0) return "";
    if (offset >= text.length) throw corrupt({ ...place, offset }, "a name lies outside its string table");
    const end = text.indexOf("\0", offset);
    if (end < 0) throw corrupt({ ...place, offset }, "a name has no end");
    budget -= end - offset;
    if (budget < 0) throw corrupt({ ...place, offset }, "names in the string table overlap too much");
    const name = text.slice(offset, end);
    return ascii ? name : decoded(name);
  };
}

function decoded(bytes: string): string {
  if (!/[\x80-\xff]/.test(bytes)) return bytes;
  const raw = Buffer.from(bytes, "latin1");
  if (isUtf8(raw)) return raw.toString("utf8");
  const units = Buffer.alloc(2 * raw.length);
  for (let i = 0; i < raw.length; i++) {
    const byte = raw[i] ?? 0;
    LITTLE.setU16(units, 2 * i, byte < 0x80 ? byte : ESCAPE + byte);
  }
  return units.toString("utf16le");
}

const ESCAPE = 0xdc00;

/** A string table in the making. */
export interface NameWriter {
  /** The offset of a name, which is added where the table does not have it. */
  place(name: string): number;
  bytes(): Buffer;
}

/** A new string table, or one that only grows: `base` keeps its bytes. Throws RangeError for a name with a NUL. */
export function nameWriter(base: Buffer = Buffer.alloc(1)): NameWriter {
  let text = base.toString("latin1");
  const offsets = new Map<string, number>();
  if (base[0] === 0) offsets.set("", 0);
  return {
    place(name) {
      let offset = offsets.get(name);
      if (offset === undefined) {
        if (name.includes("\0")) throw new RangeError("a name has a NUL");
        offset = text.length;
        offsets.set(name, offset);
        text += `${ASCII.test(name) ? name : encoded(name)}\0`;
      }
      return offset;
    },
    bytes: () => Buffer.from(text, "latin1"),
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII has them
const ASCII = /^[\x00-\x7f]*$/;

/** The bytes of a name, as a latin1 string. */
function encoded(name: string): string {
  let bytes = "";
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    const escaped = code >= 0xdc80 && code <= 0xdcff;
    bytes += escaped ? String.fromCharCode(code - 0xdc00) : Buffer.from(character, "utf8").toString("latin1");
  }
  return bytes;
}
