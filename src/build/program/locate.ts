/** Says where a livepatch finds what it needs of a program, from the proofs of its units. */
import type { Selection } from "../../diff/selection.ts";
import { type Atom, entryOffset } from "../../diff/unit.ts";
import { STB, STT } from "../../elf/constants.ts";
import type { ProgramOrigin } from "../../link/input.ts";
import type { LocatedFunc, ProgramLinkUnit } from "../../link/program-input.ts";
import type { External } from "./claims.ts";
import { provedName, rangesOf } from "./hooks.ts";
import { isInLibrary } from "./needed-libraries.ts";
import { paddingBehind } from "./padding.ts";
import { isThreadLocal } from "./plain-object.ts";
import type { ProgramProof } from "./prove.ts";
import type { ShippedProgram } from "./shipped-program.ts";

export interface LocatedUnit {
  readonly selection: Selection;
  readonly proof: ProgramProof;
  /** Of all units of the diff in the same object, this one among them. */
  readonly beside: readonly ProgramProof[];
  /** Which of them had an atom of an original. */
  readonly homeOf: (original: Atom) => ProgramProof | undefined;
}

export function programLinkUnit(
  { selection, proof, beside, homeOf }: LocatedUnit,
  patched: ProgramLinkUnit["patched"],
): ProgramLinkUnit {
  return {
    selection,
    patched,
    object: proof.shipped.object,
    locateFunc: (original) => locateFunc(original, homeOf(original) ?? proof, beside),
    locate: (atom) => locate(atom, homeOf(atom) ?? proof),
    external: (name) => external(name, proof, beside),
  };
}

function locateFunc(original: Atom, proof: ProgramProof, beside: readonly ProgramProof[]): LocatedFunc | undefined {
  const name = provedName(original, proof);
  const address = name === undefined ? undefined : proof.match.proved.get(name)?.at;
  if (name === undefined || address === undefined) return undefined;
  const ranges = rangesOf(name, proof);
  const padding = paddingBehind(ranges[0]?.[1] ?? address, proof.shipped);
  return { name, sympos: sympos(name, address, proof, beside), address, ranges, padding };
}

/** Position among the functions of this name that are known to be in the object; 0 for the only one. */
function sympos(name: string, address: number, { shipped }: ProgramProof, beside: readonly ProgramProof[]): number {
  const named = shipped.places(name).filter(({ type }) => type === STT.FUNC);
  const known = beside.flatMap(({ match }) => match.proved.get(name)?.at ?? []);
  const places = [...new Set([...named.map(({ at }) => at), ...known, address])].sort((a, b) => a - b);
  return places.length === 1 ? 0 : places.indexOf(address) + 1;
}

/** Where the atom's own name lies. */
function locate(atom: Atom, proof: ProgramProof): ProgramOrigin | undefined {
  const { object, match, shipped } = proof;
  const isFunction = atom.kind === "function";
  for (const { name, value, size, type } of atom.symbols) {
    if (isFunction && value - atom.start !== entryOffset(atom)) continue;
    if (isFunction && type === STT.GNU_IFUNC) continue;
    const symbol = object.symbol(name);
    const section = symbol === undefined ? undefined : object.sectionOf(symbol);
    if (symbol === undefined || section === undefined) continue;
    const at =
      match.claims.place(symbol) ??
      (isFunction ? match.proved.get(name)?.at : undefined) ??
      shippedPlace(name, symbol.binding, shipped);
    if (at === undefined) continue;
    const kind = isThreadLocal(section) ? "thread" : isFunction ? "function" : "variable";
    // The binder counts from the atom's first symbol.
    const first = isFunction ? value : (atom.symbols[0]?.value ?? value);
    return {
      kind: "program",
      object: shipped.object,
      name,
      sympos: 0,
      address: at - (value - first),
      size,
      type: kind,
    };
  }
  return undefined;
}

function shippedPlace(name: string, binding: number, shipped: ShippedProgram): number | undefined {
  const places = shipped.places(name).filter(({ isGlobal }) => isGlobal === (binding !== STB.LOCAL));
  return places.length === 1 ? places[0]?.at : undefined;
}

/** A symbol that the unit does not define. */
function external(name: string, proof: ProgramProof, beside: readonly ProgramProof[]): ProgramOrigin | undefined {
  const { shipped } = proof;
  const origin = (address: number | undefined, type: ProgramOrigin["type"], size = 0): ProgramOrigin => ({
    kind: "program",
    object: shipped.object,
    name,
    sympos: 0,
    address,
    size,
    type,
  });
  const claimed = [proof, ...beside].flatMap((each) => each.match.claims.external(name) ?? []);
  const place = claimed.find(({ kind }) => kind !== "import") as Exclude<External, { kind: "import" }> | undefined;
  if (place?.kind === "thread") return origin(place.offset, "thread");
  if (place?.kind === "place") return origin(place.at, shipped.isCode(place.at) ? "function" : "variable");
  const stub = shipped.stubOf(name) ?? claimed.flatMap((each) => (each.kind === "import" ? (each.stub ?? []) : []))[0];
  if (stub !== undefined) return origin(stub, "function");
  const [named] = shipped.places(name).filter(({ isGlobal }) => isGlobal);
  if (named !== undefined && named.type !== STT.GNU_IFUNC)
    return origin(
      named.at,
      named.type === STT.TLS ? "thread" : shipped.isCode(named.at) ? "function" : "variable",
      named.size,
    );
  for (const { match, object } of beside) {
    const symbol = object.symbol(name);
    const at =
      symbol === undefined || symbol.binding === STB.LOCAL
        ? undefined
        : (match.proved.get(name)?.at ?? match.claims.place(symbol));
    if (symbol !== undefined && at !== undefined)
      return origin(
        at,
        symbol.type === STT.TLS ? "thread" : symbol.type === STT.FUNC ? "function" : "variable",
        Number(symbol.size),
      );
  }
  if (claimed.length > 0 || shipped.imports(name) || isInLibrary(name, shipped)) return origin(undefined, "function");
  return undefined;
}
