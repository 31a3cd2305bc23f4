/**
 * Which definition of a name the dynamic linker would take for an object.
 * Source: System V gABI, "Shared Object Dependencies"; ld.so(8); dlopen(3).
 *
 * What was loaded at the start comes first, in the linker's own order, for all. An
 * object that was opened later then has itself and its dependencies, and those of
 * whoever needs it. Whether another one was opened for all (RTLD_GLOBAL) is not to
 * be seen: where that would matter, nothing is guessed.
 */
import { basename } from "node:path";
import type { DynamicSymbol } from "../maps/dynamic.ts";
import type { LoadedObject } from "../maps/loaded-object.ts";

/** A symbol, and the object that defines it. */
export interface Definition {
  readonly object: LoadedObject;
  readonly symbol: DynamicSymbol;
}

/** What the dynamic linker would answer. `undecided` is refused wherever it matters. */
export type Lookup =
  | { readonly kind: "found"; readonly definition: Definition }
  | { readonly kind: "nothing" }
  /** It depends on how libraries were opened. */
  | { readonly kind: "undecided"; readonly definitions: readonly Definition[] };

/** The order in which objects are looked through for one of them. */
export class Scope {
  readonly #own: LoadedObject;
  readonly #listed: readonly LoadedObject[];
  readonly #initial: readonly LoadedObject[];
  #near: ReadonlySet<LoadedObject> | undefined;

  /** @param all in the order of the dynamic linker's list; what is not in that list comes last */
  constructor(own: LoadedObject, all: readonly LoadedObject[]) {
    this.#own = own;
    const listed = all.filter(({ isListed }) => isListed);
    // A program that keeps no list has no dynamic linker that would choose.
    this.#listed = listed.length === 0 ? all : listed;
    this.#initial = initialOf(this.#listed);
  }

  /** @param sort of symbol; others of the name are passed over, as by the linker's own type check */
  find(name: string, sort: "thread" | "other" = "other"): Lookup {
    const define = (object: LoadedObject): Definition[] => {
      const symbol = object.dynamic?.find(name);
      const isSort = symbol !== undefined && (symbol.type === "thread") === (sort === "thread");
      return isSort && symbol.isDefault ? [{ object, symbol }] : [];
    };
    const own = define(this.#own);
    if (own[0] !== undefined && (this.#own.dynamic?.isSymbolic === true || own[0].symbol.isProtected))
      return { kind: "found", definition: own[0] };
    const isHere = this.#listed.includes(this.#own);
    const [first] = isHere ? this.#initial.flatMap(define) : [];
    if (first !== undefined) return { kind: "found", definition: first };
    const later = isHere ? this.#listed.filter((each) => !this.#initial.includes(each)) : [this.#own];
    const definitions = later.flatMap(define);
    const [only] = definitions;
    if (only === undefined) return isHere ? { kind: "nothing" } : { kind: "undecided", definitions: [] };
    if (definitions.length > 1 || !this.#isNear(only.object)) return { kind: "undecided", definitions };
    return { kind: "found", definition: only };
  }

  /** Itself, what it needs, and what is needed by those that need it. */
  #isNear(object: LoadedObject): boolean {
    if (this.#near === undefined) {
      const roots = this.#listed.filter((each) => closureOf(each, this.#listed).has(this.#own));
      this.#near = new Set([this.#own, ...roots.flatMap((root) => [...closureOf(root, this.#listed)])]);
    }
    return this.#near.has(object);
  }
}

/** All that was there when the program began: the list up to the last that the executable needs, what was preloaded in between. */
function initialOf(listed: readonly LoadedObject[]): readonly LoadedObject[] {
  const executable = listed.find(({ isExecutable }) => isExecutable);
  if (executable === undefined) return listed;
  const needed = closureOf(executable, listed);
  const last = listed.findLastIndex((each) => needed.has(each));
  return listed.slice(0, last + 1);
}

function closureOf(root: LoadedObject, listed: readonly LoadedObject[]): ReadonlySet<LoadedObject> {
  const found = new Set([root]);
  for (const each of found) {
    for (const name of each.dynamic?.needed ?? []) {
      const object = listed.find(({ dynamic, path }) => dynamic?.soname === name || basename(path) === name);
      if (object !== undefined) found.add(object);
    }
  }
  return found;
}
