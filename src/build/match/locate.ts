/** Says where a livepatch finds what it needs of the running system, from the proof of its unit. */
import { numberedBase } from "../../diff/names.ts";
import type { Selection } from "../../diff/selection.ts";
import { type Atom, entryOffset, isGlobal, nameOffset } from "../../diff/unit.ts";
import type { LinkUnit, Origin } from "../../link/input.ts";
import type { Symvers } from "../symvers.ts";
import type { Proof } from "./prove.ts";
import type { Shipped, ShippedSymbol } from "./shipped.ts";

export interface Located {
  readonly proof: Proof;
  readonly selection: Selection;
  readonly vmlinux: Shipped;
  readonly symvers: Symvers;
  /** Modules that are loaded whenever the patched module is: those that it depends on. */
  readonly dependencies: ReadonlySet<string>;
}

export function linkUnit({ proof, selection, vmlinux, symvers, dependencies }: Located): LinkUnit {
  const { shipped, match } = proof;
  const exported = (name: string): Origin | undefined => exportedBy(name, shipped.object, symvers, dependencies);
  return {
    selection,
    object: shipped.object,
    locateFunc(original) {
      const at = match.proved.has(original) ? match.places.get(original) : undefined;
      return at === undefined ? undefined : symbolOf(original, at + entryOffset(original), shipped);
    },
    locate(atom) {
      const global = isGlobal(atom) ? exported(atom.name) : undefined;
      if (global !== undefined) return global;
      const at = match.places.get(atom);
      if (at !== undefined) return livepatchOrigin(shipped, symbolOf(atom, at + nameOffset(atom), shipped));
      return isGlobal(atom) ? onlyOne(atom.name, shipped) : undefined;
    },
    external(name) {
      const symbol = exported(name);
      if (symbol !== undefined) return symbol;
      const at = match.externals.get(name);
      if (at !== undefined) return livepatchOrigin(shipped, symbolAt(name, at, shipped));
      return onlyOne(name, shipped) ?? (shipped === vmlinux ? undefined : onlyOne(name, vmlinux));
    },
  };
}

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
  return {
    kind: "exported",
    name,
    crc: found.crc,
    namespace: found.namespace === "" ? undefined : found.namespace,
    module: by === "vmlinux" ? undefined : by,
  };
}

export function moduleName(path: string): string {
  return (path.split("/").pop() ?? path).replaceAll("-", "_");
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
