/** Says where a livepatch finds what it needs of the running system, from the proof of its unit. */
import { numberedBase } from "../../../diff/names.ts";
import type { Selection } from "../../../diff/selection.ts";
import { type Atom, entryOffset, isGlobal } from "../../../diff/unit.ts";
import type { LinkUnit, Origin } from "../../../link/input.ts";
import type { Symvers } from "../symvers.ts";
import type { Proof } from "./prove.ts";
import type { Shipped, ShippedSymbol } from "./shipped.ts";

/** One unit in one object, and all proofs that its references may be looked up in. */
export interface Located {
  readonly proof: Proof;
  readonly selection: Selection;
  readonly vmlinux: Shipped;
  readonly symvers: Symvers;
  /** Modules that are loaded whenever the patched module is: those that it depends on. */
  readonly dependencies: ReadonlySet<string>;
  /** Of the other units of the diff in the same object, from which something may have moved into this one. */
  readonly beside?: readonly Proof[] | undefined;
}

/** The linker's questions, answered by proofs alone: what was not found is undefined. */
export function linkUnit(located: Located): LinkUnit {
  const { proof, selection, dependencies } = located;
  const { shipped, match } = proof;
  return {
    selection,
    object: shipped.object,
    surroundings: "the kernel",
    dependencies,
    locateFunc(original) {
      const { match: its } = proofOf(original, located);
      const at = its.proved.has(original) ? its.places.get(original) : undefined;
      return at === undefined ? undefined : symbolOf(original, at + entryOffset(original), shipped);
    },
    locate(atom) {
      const at = proofOf(atom, located).match.places.get(atom);
      const place = at === undefined ? undefined : at + firstOffset(atom);
      const origin = originOf(atom, place, located);
      return origin === undefined ? undefined : { origin, isSealed: place !== undefined && shipped.isSealed(place) };
    },
    external(name) {
      const at = match.externals.get(name);
      const origin = externalOrigin(name, at, located);
      if (origin === undefined) return undefined;
      return { origin, isSealed: isSealed(origin, at, located), isFreed: isFreed(origin, at, located) };
    },
    literal(literal) {
      const at = match.literals.get(literal.bytes);
      return at === undefined || shipped.isFreed(at) ? undefined : inConstants(at, shipped);
    },
  };
}

/** A unit that has no original: all of its code is new, and what that needs is vmlinux's. @param object that it is for */
export function newUnit(
  selection: Selection,
  object: string,
  { vmlinux, symvers }: Pick<Located, "vmlinux" | "symvers">,
): LinkUnit {
  const dependencies = new Set<string>();
  return {
    selection,
    object,
    surroundings: "the kernel",
    dependencies,
    locateFunc: () => undefined,
    locate: () => undefined,
    external(name) {
      const origin = exportedBy(name, vmlinux.object, symvers, dependencies) ?? onlyOne(name, vmlinux);
      if (origin === undefined) return undefined;
      const places = vmlinux.places(origin.name);
      const isSealed = places.some((at) => vmlinux.isSealed(at));
      return { origin, isSealed, isFreed: places.some((at) => vmlinux.isFreed(at)) };
    },
  };
}

/** Where vmlinux's constants begin, a symbol that every kernel has once; a module's sections have no place of their own yet. */
const CONSTANTS = "__start_rodata";

function inConstants(at: number, shipped: Shipped): { readonly origin: Origin; readonly offset: number } | undefined {
  const [start, ...more] = shipped.object === "vmlinux" ? shipped.places(CONSTANTS) : [];
  if (start === undefined || more.length > 0 || at < start) return undefined;
  return { origin: { kind: "livepatch", object: "vmlinux", name: CONSTANTS, sympos: 0 }, offset: at - start };
}

/** Of the unit that had the atom. */
function proofOf(atom: Atom, { proof, beside = [] }: Located): Proof {
  return [proof, ...beside].find(({ match }) => match.places.has(atom)) ?? proof;
}

function originOf(
  atom: Atom,
  place: number | undefined,
  { proof, symvers, dependencies }: Located,
): Origin | undefined {
  const { shipped } = proof;
  const exported = isGlobal(atom) ? exportedBy(atom.name, shipped.object, symvers, dependencies) : undefined;
  if (exported !== undefined) return exported;
  if (place !== undefined) return livepatchOrigin(shipped, symbolOf(atom, place, shipped));
  return isGlobal(atom) ? onlyOne(atom.name, shipped) : undefined;
}

function externalOrigin(name: string, at: number | undefined, located: Located): Origin | undefined {
  const { proof, vmlinux, symvers, dependencies } = located;
  const { shipped } = proof;
  const exported = exportedBy(name, shipped.object, symvers, dependencies);
  if (exported !== undefined) return exported;
  if (at !== undefined) return livepatchOrigin(shipped, symbolAt(name, at, shipped));
  return onlyOne(name, shipped) ?? (shipped === vmlinux ? undefined : onlyOne(name, vmlinux));
}

function isSealed(origin: Origin, at: number | undefined, { proof, vmlinux }: Located): boolean {
  if (at !== undefined) return proof.shipped.isSealed(at);
  const object = origin.kind === "livepatch" && origin.object === proof.shipped.object ? proof.shipped : vmlinux;
  return object.places(origin.name).some((place) => object.isSealed(place));
}

/** What the original's lasting code refers to as well is asked for before it is used: that was so before. */
function isFreed(origin: Origin, at: number | undefined, { proof, vmlinux }: Located): boolean {
  const object = origin.kind === "livepatch" && origin.object === proof.shipped.object ? proof.shipped : vmlinux;
  const places = at === undefined ? object.places(origin.name) : [at];
  if (!places.some((place) => object.isFreed(place))) return false;
  return !proof.unit.atoms.some(
    ({ section, references }) =>
      section.role !== "init" &&
      references.some(({ target }) => target.kind === "external" && target.name === origin.name),
  );
}

/** How the namespace begins of what is exported to modules by their names alone. Source: EXPORT_SYMBOL_FOR_MODULES of linux/export.h. */
const FOR_MODULES = "module:";

/** The module's own exports are bound with it, and those of what it depends on too. */
function exportedBy(
  name: string,
  object: string,
  symvers: Symvers,
  dependencies: ReadonlySet<string>,
): Origin | undefined {
  const found = symvers.find(name);
  if (found === undefined) return undefined;
  const by = moduleName(found.object);
  if (by !== "vmlinux" && (by === object || dependencies.has(by)))
    return { kind: "livepatch", object: by, name, sympos: 0 };
  // No other module may import it, nor say that it does: it is bound as what is not exported.
  if (found.namespace.startsWith(FOR_MODULES)) return undefined;
  return {
    kind: "exported",
    name,
    crc: found.crc,
    namespace: found.namespace === "" ? undefined : found.namespace,
    module: by === "vmlinux" ? undefined : by,
  };
}

/** The kernel's name of a module, from its path: `drivers/net/a-b` is `a_b`. */
export function moduleName(path: string): string {
  return (path.split("/").pop() ?? path).replaceAll("-", "_");
}

/** What names the atom: a function's entry, a variable's start. */
function firstOffset(atom: Atom): number {
  return atom.kind === "function" ? entryOffset(atom) : (atom.symbols[0]?.value ?? atom.start) - atom.start;
}

function symbolOf(atom: Atom, at: number, shipped: Shipped): { name: string; sympos: number } | undefined {
  const symbols = shipped.symbolsAt(at);
  const own = symbols.find(({ name }) => atom.symbols.some((symbol) => symbol.name === name));
  const base = numberedBase(atom.name);
  return sympos(own ?? symbols.find(({ name }) => base !== undefined && numberedBase(name) === base));
}

function symbolAt(name: string, at: number, shipped: Shipped): { name: string; sympos: number } | undefined {
  return sympos(shipped.symbolsAt(at).find((symbol) => symbol.name === name));
}

/** The kernel takes 0 for a name that is the only one of its object. */
function sympos(symbol: ShippedSymbol | undefined): { name: string; sympos: number } | undefined {
  return symbol === undefined ? undefined : { name: symbol.name, sympos: symbol.count === 1 ? 0 : symbol.position };
}

function livepatchOrigin(shipped: Shipped, symbol: { name: string; sympos: number } | undefined): Origin | undefined {
  return symbol === undefined ? undefined : { kind: "livepatch", object: shipped.object, ...symbol };
}

/** Without a proof of where it lies, a name says it only where nothing else has it. */
function onlyOne(name: string, shipped: Shipped): Origin | undefined {
  return shipped.places(name).length === 1 ? { kind: "livepatch", object: shipped.object, name, sympos: 0 } : undefined;
}
