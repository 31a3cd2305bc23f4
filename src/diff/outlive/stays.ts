/**
 * What may outlive a livepatch: addresses of what it brings (code, data,
 * strings) that its code lets get to where they may be kept after it is
 * disabled. What is not followed to an end that is known counts as kept.
 */
import type { PointerFlow } from "../../arch/pointer-flow.ts";
import { madeFrom, PointerState } from "../../arch/pointer-state.ts";
import type { Note, StayRecord } from "../../patch/metadata.ts";
import { isCold } from "../names.ts";
import { type Atom, isCode, isGlobal } from "../unit.ts";
import { type Body, type Callee, LivepatchCode, type OutlivingUnit, type Thing } from "./code.ts";
import type { Contract, Contracts } from "./contract.ts";
import { type Caller, type CallOutcome, type Followed, Follower, type Given } from "./follow.ts";
import { ANY, Known, type Source, Sources } from "./sources.ts";

/** Calls that are followed into each other at most, and functions that are followed in all. */
const DEPTH = 8;
const MOST = 3000;

/** @param units of one livepatch; what its callbacks and its switch are made of belongs to no one but it */
export function staysOf(units: readonly OutlivingUnit[], contracts: Contracts): StayRecord[] {
  const code = new LivepatchCode(units);
  const known = new Known(holdersOf(code));
  for (;;) {
    known.hasGrown = false;
    const records = new Livepatch(code, known, contracts).records();
    if (!known.hasGrown) return records;
  }
}

/** Data that holds addresses of the livepatch from the start. */
function holdersOf(code: LivepatchCode): Thing[] {
  const holders: Thing[] = [];
  for (const { atom, references } of code.pieces)
    if (!isCode(atom) && references.some(({ destination: { kind } }) => kind === "piece" || kind === "literal"))
      holders.push(atom);
  return holders;
}

/** What a reader of the build is told; nothing where the livepatch can be taken out. */
export function stayNotes(stays: readonly StayRecord[]): Note[] {
  const [first] = stays;
  if (first === undefined) return [];
  const more = stays.length === 1 ? "" : `, and ${stays.length - 1} more`;
  const text = `it can be disabled, and its memory stays: ${first.what} ${first.how} (${first.function})${more}`;
  return [{ code: "STAYS_LOADED", text }];
}

class Livepatch implements Caller {
  readonly code: LivepatchCode;
  readonly #known: Known;
  readonly #contracts: Contracts;
  /** Without it nothing is followed. */
  readonly #flow: PointerFlow | undefined;
  readonly #followed = new Map<string, Followed | "begun" | undefined>();
  readonly #numbers = new Map<Atom, number>();
  #depth = 0;

  constructor(code: LivepatchCode, known: Known, contracts: Contracts) {
    this.code = code;
    this.#known = known;
    this.#contracts = contracts;
    this.#flow = code.units[0]?.selection.arch.pointers;
  }

  records(): StayRecord[] {
    const records = new Map<string, StayRecord>();
    const add = (record: StayRecord) =>
      records.set(`${record.source} ${record.function} ${record.what} ${record.how}`, record);
    for (const unit of this.code.units) {
      const { pieces, funcs, moduleExit, unit: source } = unit.selection;
      const entered = new Set<Atom>([
        ...funcs.map(({ patched }) => patched),
        ...(moduleExit ? [moduleExit.patched] : []),
      ]);
      for (const atom of this.#withAddress()) entered.add(atom);
      for (const { atom } of pieces) {
        if (atom.kind !== "function" || isCold(atom.name)) continue;
        const about = { source, function: atom.name };
        const followed = this.#follow({ unit, atom, isNew: true }, new Map());
        if (followed === undefined) {
          add({ ...about, what: ANY, how: "cannot be followed through all of its code" });
          continue;
        }
        for (const { what, how } of followed.escapes) add({ ...about, what, how });
        if (!entered.has(atom) && !isGlobal(atom)) continue;
        for (const { what } of followed.returns) add({ ...about, what, how: "is returned to its callers" });
      }
    }
    return [...records.values()];
  }

  /** Functions that are called by their address, it is not known from where. */
  #withAddress(): Atom[] {
    const taken: Atom[] = [];
    for (const { selection } of this.code.units) {
      for (const { after } of selection.words) {
        const destination = after.pointer?.destination;
        if (destination?.kind === "piece") taken.push(destination.atom);
      }
    }
    for (const { references } of this.code.pieces)
      for (const { destination, isBranch } of references)
        if (!isBranch && destination.kind === "piece" && destination.atom.kind === "function")
          taken.push(destination.atom);
    return taken;
  }

  contractOf(callee: Callee | undefined): Contract | undefined {
    return callee === undefined ? undefined : this.#contracts.of(callee.name);
  }

  call(callee: Callee | undefined, given: ReadonlyMap<number, Given>): CallOutcome {
    const contract = this.contractOf(callee);
    if (contract !== undefined) return underContract(contract, given, this.#flow?.arguments ?? []);
    if (callee?.body === undefined || (given.size === 0 && !callee.body.isNew))
      return { result: [], escapes: keptOf(given) };
    const followed = this.#follow(callee.body, given);
    if (followed === undefined) return { result: [], escapes: keptOf(given) };
    const escapes = followed.escapes.map(({ what, how }) => ({
      what,
      how: `is passed to ${callee.name}, where it ${how}`,
    }));
    // What a new function lets out by itself is told of that one.
    return { result: followed.returns, escapes: given.size === 0 ? [] : escapes };
  }

  /** undefined where that is not possible, or not known in time. */
  #follow(body: Body, given: ReadonlyMap<number, Given>): Followed | undefined {
    const key = this.#key(body, given);
    const known = this.#followed.get(key);
    if (known !== undefined || this.#followed.has(key)) return known === "begun" ? UNKNOWN_RESULT : known;
    const flow = this.#flow;
    if (flow === undefined || this.#depth >= DEPTH || this.#followed.size >= MOST) return undefined;
    this.#followed.set(key, "begun");
    this.#depth++;
    const sources = new Sources(this.#known);
    const entry = PointerState.atEntry(flow);
    for (const [register, { sources: passed, isExact }] of given) {
      const value = sources.value(passed);
      entry.registers[register] = isExact ? value : madeFrom(value);
    }
    const followed = new Follower(body, this, sources, flow).run(entry);
    this.#depth--;
    this.#followed.set(key, followed);
    return followed;
  }

  #key({ atom }: Body, given: ReadonlyMap<number, Given>): string {
    const arguments_ = [...given].map(([register, { sources, isExact }]) => {
      const things = sources.map(({ thing, what }) => (thing === undefined ? what : this.#number(thing)));
      return `${register}${isExact ? "=" : "~"}${things.sort().join(",")}`;
    });
    return `${this.#number(atom)} ${arguments_.join(" ")}`;
  }

  #number(thing: Thing): number {
    const key = thing as Atom;
    const number = this.#numbers.get(key) ?? this.#numbers.size;
    this.#numbers.set(key, number);
    return number;
  }
}

/** Of a function that calls itself: it may return anything of the livepatch. */
const ANYTHING: Source = { what: ANY, thing: undefined, holds: () => true };
const UNKNOWN_RESULT: Followed = { escapes: [], returns: [ANYTHING] };

/** @param registers of the first arguments, in order */
function underContract(
  { copies, returns, keeps }: Contract,
  given: ReadonlyMap<number, Given>,
  registers: readonly number[],
): CallOutcome {
  const escapes = [...given].flatMap(([register, { sources }]) =>
    sources
      .filter((source) => (copies && source.holds()) || keeps.some((index) => registers[index] === register))
      .map(({ what }) => ({ what, how: "" })),
  );
  const result = returns === undefined ? undefined : given.get(registers[returns] as number);
  return { result: result?.sources ?? [], escapes };
}

function keptOf(given: ReadonlyMap<number, Given>): CallOutcome["escapes"] {
  return [...given.values()].flatMap(({ sources }) => sources.map(({ what }) => ({ what, how: "" })));
}
