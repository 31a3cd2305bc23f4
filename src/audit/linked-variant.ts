/** Whether a compile of a source is in what ships, where there are several of it: with and without -fPIC, for coverage, for tests. */
import type { ElfFile } from "../elf/model.ts";
import { isCode, type Named, PlainObject } from "./plain-object.ts";

/** What fewer of its functions say is chance: small ones are alike everywhere. */
const LEAST_SHARE = 0.5;
/** Whether half of the functions of an object lie in the code of one of the files, all but what the linker fills in. */
export function isLinkedInto(object: ElfFile, shipped: readonly ElfFile[]): boolean {
  const plain = new PlainObject(object);
  return areIn(functionsOf(plain), plain, shipped);
}

/** The same by those functions alone that are not found by chance; without such it is not said of an object. */
export function isSurelyLinkedInto(object: ElfFile, shipped: readonly ElfFile[]): boolean {
  const plain = new PlainObject(object);
  const large = functionsOf(plain).filter((each) => {
    const longest = Math.max(0, ...piecesOf(each, plain).map(({ bytes }) => bytes.length));
    return each.end - each.start >= LARGE && longest >= LARGE / 4;
  });
  return large.length > 0 && areIn(large, plain, shipped);
}

/** Bytes. */
const LARGE = 96;

function functionsOf({ named }: PlainObject): Named[] {
  return named.filter(({ kind, section }) => kind === "function" && isCode(section));
}

function areIn(functions: readonly Named[], plain: PlainObject, shipped: readonly ElfFile[]): boolean {
  return shipped.some((file) => {
    const found = functions.filter((each) =>
      file.sections.some((section) => isCode(section) && lies(each, plain, section.data)),
    );
    return found.length >= LEAST_SHARE * functions.length;
  });
}

function lies(named: Named, object: PlainObject, code: Buffer): boolean {
  const pieces = piecesOf(named, object);
  const longest = pieces.reduce(
    (best, each) => (each.bytes.length > best.bytes.length ? each : best),
    pieces[0] ?? NONE,
  );
  if (longest.bytes.length === 0) return false;
  for (let at = code.indexOf(longest.bytes); at >= 0; at = code.indexOf(longest.bytes, at + 1)) {
    const start = at - longest.at;
    if (
      start >= 0 &&
      pieces.every((each) => code.subarray(start + each.at, start + each.at + each.bytes.length).equals(each.bytes))
    )
      return true;
  }
  return false;
}

interface Piece {
  /** In the function. */
  readonly at: number;
  readonly bytes: Buffer;
}

const NONE: Piece = { at: 0, bytes: Buffer.alloc(0) };

/** What lies between the fields that the linker fills in. */
function piecesOf({ section, start, end }: Named, object: PlainObject): Piece[] {
  const pieces: Piece[] = [];
  let from = start;
  const add = (to: number) => {
    if (to > from) pieces.push({ at: from - start, bytes: section.data.subarray(from, to) });
  };
  for (const { offset, size, type } of object.fieldsIn(section, start, end)) {
    add(offset - object.arch.elf.relaxedBefore(type));
    from = offset + size;
  }
  add(end);
  return pieces;
}
