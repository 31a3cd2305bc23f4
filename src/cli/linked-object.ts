/** What `readelf -sW` prints of the linked object that a translation unit is part of. */
import { SutureError } from "../lib/error.ts";

/**
 * The vmlinux or the module that a unit was linked into, as far as names tell: what of
 * a unit the linker has dropped is not in it.
 */
export interface LinkedObject {
  /** Names of the functions in it. */
  readonly functions: ReadonlySet<string>;
  /** Names of all that is defined in it, the functions among them. */
  readonly defined: ReadonlySet<string>;
  /** Whether it is a module. */
  readonly isModule: boolean;
}

/**
 * Reads the lines `Num: Value Size Type Bind Vis Ndx Name`; others are passed
 * over. Throws `SYMBOLS_UNREADABLE` where there is no such line.
 */
export function linkedObject(listing: string, name: string): LinkedObject {
  const functions = new Set<string>();
  const defined = new Set<string>();
  let symbols = 0;
  let isModule = false;
  for (const line of listing.split("\n")) {
    const [, type, place, symbol] = /^\s*\d+: +[0-9a-f]+ +\S+ +(\S+) +\S+ +\S+ .*?(\S+) +(\S+)\s*$/.exec(line) ?? [];
    if (symbol === undefined) continue;
    symbols++;
    if (symbol === "__this_module") isModule = true;
    if (place === "UND") continue;
    defined.add(symbol);
    if (type === "FUNC" || type === "IFUNC") functions.add(symbol);
  }
  if (symbols === 0) {
    throw new SutureError("SYMBOLS_UNREADABLE", "no list of symbols is in the file", {
      where: name,
      hint: "give what `readelf -sW` prints for the linked object",
    });
  }
  return { functions, defined, isModule };
}
