/** Says where a livepatch finds what it needs of a program, from the proofs of its units. */
import type { Selection } from "../../diff/selection.ts";
import { type Atom, entryOffset } from "../../diff/unit.ts";
import { STB, STT } from "../../elf/constants.ts";
import type { ElfSymbol } from "../../elf/model.ts";
import type { Found, ProgramOrigin } from "../../link/input.ts";
import type { LocatedFunc, ProgramLinkUnit } from "../../link/program-input.ts";
import { provedName, rangesOf } from "./hooks.ts";
import type { External } from "./match/claims.ts";
import { isThreadLocal } from "./match/plain-object.ts";
import type { ProgramProof } from "./match/prove.ts";
import { isInLibrary } from "./shipped/needed-libraries.ts";
import { paddingBehind } from "./shipped/padding.ts";
import type { ShippedProgram } from "./shipped/shipped-program.ts";

/** One unit in one object, and all proofs that its references may be looked up in. */
export interface LocatedUnit {
  readonly selection: Selection;
  readonly proof: ProgramProof;
  /** Of all units of the diff in the same object, this one among them, and of those that define what they newly need. */
  readonly beside: readonly ProgramProof[];
  /** Names that the object defines itself: no library's will do. */
  readonly defined: ReadonlySet<string>;
  /** By name, what other files of the object see from the diff on: it was its own file's alone, and it is there. */
  readonly opened: ReadonlyMap<string, Atom>;
  /** Which of them had an atom of an original. */
  readonly homeOf: (original: Atom) => ProgramProof | undefined;
}

/** The linker's questions, answered by proofs; what no proof and no import answers is undefined. */
export function programLinkUnit(
  { selection, proof, beside, defined, opened, homeOf }: LocatedUnit,
  patched: ProgramLinkUnit["patched"],
): ProgramLinkUnit {
  return {
    selection,
    patched,
    object: proof.shipped.object,
    surroundings: "the libraries of the process",
    locateFunc: (original) => locateFunc(original, homeOf(original) ?? proof, beside),
    locate: (atom) => found(locate(atom, homeOf(atom) ?? proof)),
    external(name, isWeak = false) {
      const own = opened.get(name);
      if (own !== undefined) return found(locate(own, homeOf(own) ?? proof));
      return found(
        external(name, proof, beside) ?? (defined.has(name) ? undefined : imported(name, isWeak, proof, beside)),
      );
    },
    literal: (literal) => inObject(proof.match.claims.literal(literal.bytes), proof.shipped),
  };
}

/** Where the ELF header lies, a symbol of the linker's own. */
const START = "__ehdr_start";

function inObject(
  at: number | undefined,
  shipped: ShippedProgram,
): { readonly origin: ProgramOrigin; readonly offset: number } | undefined {
  const { start } = shipped;
  if (at === undefined || start === undefined || at < start) return undefined;
  return { origin: originOf(START, shipped, { address: start, type: "variable", size: 0 }), offset: at - start };
}

function found(origin: ProgramOrigin | undefined): Found | undefined {
  return origin && { origin };
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
  const { object, shipped } = proof;
  const isFunction = atom.kind === "function";
  for (const { name, value, size, type } of atom.symbols) {
    if (isFunction && value - atom.start !== entryOffset(atom)) continue;
    if (isFunction && type === STT.GNU_IFUNC) continue;
    const symbol = object.symbol(name);
    const section = symbol === undefined ? undefined : object.sectionOf(symbol);
    if (symbol === undefined || section === undefined) continue;
    const at = placeOf(symbol, isFunction, proof) ?? shippedPlace(name, symbol.binding, shipped);
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
      ...directly(name, [proof]),
    };
  }
  return undefined;
}

/** What code that is there leads to itself is bound inside of the object, for new code too. */
function directly(name: string, proofs: readonly ProgramProof[]): Pick<ProgramOrigin, "isDirect"> {
  return proofs.some(({ match }) => match.claims.isDirect(name)) ? { isDirect: true } : {};
}

/** A function that is not proved lies where its section says, if a function starts there. */
function placeOf(symbol: ElfSymbol, isFunction: boolean, { match, shipped }: ProgramProof): number | undefined {
  const proved = isFunction ? match.proved.get(symbol.name)?.at : undefined;
  const claimed = match.claims.place(symbol);
  if (proved !== undefined || claimed === undefined || !isFunction) return claimed ?? proved;
  return shipped.isStart(claimed) ? claimed : undefined;
}

function shippedPlace(name: string, binding: number, shipped: ShippedProgram): number | undefined {
  const places = shipped.places(name).filter(({ isGlobal }) => isGlobal === (binding !== STB.LOCAL));
  return places.length === 1 ? places[0]?.at : undefined;
}

/** A symbol that the unit does not define and the object does, or calls by a stub. */
function external(name: string, proof: ProgramProof, beside: readonly ProgramProof[]): ProgramOrigin | undefined {
  const { shipped } = proof;
  const origin = (address: number, type: ProgramOrigin["type"], size = 0) =>
    originOf(name, shipped, { address, type, size });
  const claimed = [proof, ...beside].flatMap((each) => each.match.claims.external(name) ?? []);
  const place = claimed.find(({ kind }) => kind !== "import") as Exclude<External, { kind: "import" }> | undefined;
  if (place?.kind === "thread") return origin(place.offset, "thread");
  if (place?.kind === "place")
    return {
      ...origin(place.at, shipped.isCode(place.at) ? "function" : "variable"),
      ...directly(name, [proof, ...beside]),
    };
  // A stub is called, and is no function's address but in code that has its own addresses fixed.
  const stub =
    shipped.isMovable && shipped.imports(name)
      ? undefined
      : (shipped.stubOf(name) ?? claimed.flatMap((each) => (each.kind === "import" ? (each.stub ?? []) : []))[0]);
  if (stub !== undefined) return origin(stub, "function");
  const [named] = shipped.places(name).filter(({ isGlobal }) => isGlobal);
  if (named !== undefined && named.type !== STT.GNU_IFUNC)
    return origin(
      named.at,
      named.type === STT.TLS ? "thread" : shipped.isCode(named.at) ? "function" : "variable",
      named.size,
    );
  for (const each of beside) {
    const symbol = each.object.symbol(name);
    const isFunction = symbol?.type === STT.FUNC;
    const at = symbol === undefined || symbol.binding === STB.LOCAL ? undefined : placeOf(symbol, isFunction, each);
    if (symbol !== undefined && at !== undefined)
      return origin(
        at,
        symbol.type === STT.TLS ? "thread" : symbol.type === STT.FUNC ? "function" : "variable",
        Number(symbol.size),
      );
  }
  return undefined;
}

/** What another object defines; what is weak may be in one, or in none, as long as there are any. */
function imported(
  name: string,
  isWeak: boolean,
  { shipped }: ProgramProof,
  beside: readonly ProgramProof[],
): ProgramOrigin | undefined {
  const isClaimed = beside.some(({ match }) => match.claims.external(name) !== undefined);
  const mayBe = isWeak && shipped.file.dynamicSymbols.length > 0;
  if (!isClaimed && !mayBe && !shipped.imports(name) && !isInLibrary(name, shipped)) return undefined;
  const origin = originOf(name, shipped, { address: undefined, type: "function", size: 0 });
  return isWeak ? { ...origin, isWeak } : origin;
}

function originOf(
  name: string,
  { object }: ShippedProgram,
  { address, size, type }: Pick<ProgramOrigin, "address" | "size" | "type">,
): ProgramOrigin {
  return { kind: "program", object, name, sympos: 0, address, size, type };
}
