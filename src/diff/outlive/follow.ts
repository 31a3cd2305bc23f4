/**
 * Follows the code of one function from its entry along all ways that it can
 * take, and tells where addresses of the livepatch get to: an abstract
 * interpretation over `PointerState`, to its fixed point.
 */
import type { Field, Outcome, PointerFlow, Step, Surroundings } from "../../arch/pointer-flow.ts";
import { CLEAN, madeFrom, PointerState, type Value } from "../../arch/pointer-state.ts";
import { type Atom, entryOffset, isCode, type TableEntry } from "../unit.ts";
import type { Body, Callee, LivepatchCode, Meaning, Scan } from "./code.ts";
import type { Contract } from "./contract.ts";
import type { Source, Sources } from "./sources.ts";

/** An address that may be kept, and by what: the end of a sentence that begins with what it is an address of. */
export interface Escape {
  readonly what: string;
  readonly how: string;
}

/**
 * What became of addresses in one function. No `escapes`: nothing that it was given, or
 * has of the livepatch, is kept by anybody when it returns.
 */
export interface Followed {
  readonly escapes: readonly Escape[];
  /** What its result may be an address of. */
  readonly returns: readonly Source[];
}

/** What a call does, as far as addresses go. */
export interface CallOutcome {
  readonly result: readonly Source[];
  readonly escapes: readonly Escape[];
}

/** What an argument's register holds. */
export interface Given {
  readonly sources: readonly Source[];
  /** Whether it can be nothing else. */
  readonly isExact: boolean;
}

/** What a function that is followed calls: it may be followed itself, or be known by a contract. */
export interface Caller {
  readonly code: LivepatchCode;
  /** @param given by the register's number, where that holds any */
  call(callee: Callee | undefined, given: ReadonlyMap<number, Given>): CallOutcome;
  contractOf(callee: Callee | undefined): Contract | undefined;
}

/** An offset lies below this, so that a place is one number. */
const STRIDE = 2 ** 32;
/** So many instructions are looked at for one function: a loop of many values takes its time. */
const LIMIT = 400_000;

/** Follows one function once: it is made anew for each body, and each state at its entry. */
export class Follower implements Surroundings {
  readonly #caller: Caller;
  readonly #body: Body;
  readonly #sources: Sources;
  readonly #flow: PointerFlow;
  readonly #atoms: Atom[] = [];
  readonly #states = new Map<number, PointerState>();
  readonly #queue = new Set<number>();
  /** Places that jumps of which it is not known where they lead may lead to. */
  readonly #loose = new Set<number>();
  #looseState: PointerState | undefined;
  readonly #escapes = new Map<string, Escape>();
  #returned = 0;
  #how = "";
  #left = LIMIT;
  readonly #unseen = new Set<number>();
  readonly #visited = new Set<number>();
  /** What may be so behind any call. */
  #anywhere: PointerState;
  #isLost = false;
  /** Of the code that the step looks at. */
  #meanings: ReadonlyMap<number, Meaning> = new Map();
  #atom: Atom;

  constructor(body: Body, caller: Caller, sources: Sources, flow: PointerFlow) {
    this.#flow = flow;
    this.#anywhere = PointerState.atEntry(flow);
    this.#body = body;
    this.#atom = body.atom;
    this.#caller = caller;
    this.#sources = sources;
  }

  /** undefined where the code could not be followed to its end. */
  run(entry: PointerState): Followed | undefined {
    this.#anywhere = entry.copy();
    this.#comeTo(this.#place(this.#body.atom, entryOffset(this.#body.atom)), entry);
    do {
      for (const key of this.#queue) {
        this.#queue.delete(key);
        this.#block(key);
        if (this.#isLost) return undefined;
      }
      // What is entered in a way that code does not show: where exceptions are caught.
      for (const key of this.#unvisited()) this.#unseen.add(key);
      for (const key of this.#unseen) this.#comeTo(key, this.#anywhere);
    } while (this.#queue.size > 0);
    return { escapes: [...this.#escapes.values()], returns: this.#sources.of(this.#returned) };
  }

  #unvisited(): number[] {
    for (const [index, atom] of this.#atoms.entries()) {
      for (const step of this.#scanOf(atom).steps.values()) {
        const key = index * STRIDE + step.at;
        if (!this.#visited.has(key) && !this.#flow.isFiller(step)) return [key];
      }
    }
    return [];
  }

  #place(atom: Atom, offset: number): number {
    let index = this.#atoms.indexOf(atom);
    if (index < 0) {
      index = this.#atoms.push(atom) - 1;
      this.#findLoose(atom, index);
    }
    return index * STRIDE + offset;
  }

  #bodyOf(atom: Atom): Body {
    return { ...this.#body, atom };
  }

  #scanOf(atom: Atom): Scan {
    const scan = this.#caller.code.scan(this.#bodyOf(atom), this.#flow);
    if (!scan.isWhole) this.#isLost = true;
    return scan;
  }

  /** Labels that data or code has the address of. */
  #findLoose(atom: Atom, index: number): void {
    const scan = this.#scanOf(atom);
    for (const offset of this.#caller.code.innerTargets(atom))
      if (scan.steps.has(offset)) this.#addLoose(index * STRIDE + offset);
    const meanings = this.#caller.code.meanings(this.#bodyOf(atom));
    for (const meaning of meanings.values())
      if (meaning.kind === "place" && !meaning.isBranch) this.#addLoose(this.#place(meaning.atom, meaning.offset));
    for (const step of scan.steps.values()) {
      const operand = this.#flow.relativeOperand(step);
      if (operand === undefined || meanings.has(operand.field)) continue;
      if (scan.steps.has(operand.to)) this.#addLoose(index * STRIDE + operand.to);
    }
  }

  #addLoose(key: number): void {
    if (this.#loose.has(key)) return;
    this.#loose.add(key);
    if (this.#looseState !== undefined) this.#comeTo(key, this.#looseState);
  }

  #comeTo(key: number, state: PointerState): void {
    const known = this.#states.get(key);
    if (known === undefined) this.#states.set(key, state.copy());
    else if (!known.merge(state)) return;
    this.#queue.add(key);
  }

  /** From a place on to where the code branches, or another place begins. */
  #block(from: number): void {
    const atom = this.#atoms[Math.floor(from / STRIDE)] as Atom;
    const base = from - (from % STRIDE);
    const scan = this.#scanOf(atom);
    const state = (this.#states.get(from) as PointerState).copy();
    for (let at = from % STRIDE; !this.#isLost; ) {
      const step = scan.steps.get(at);
      // Behind the last instruction is nothing that runs: what was called does not return.
      if (step === undefined) {
        if (at < scan.end) this.#isLost = true;
        return;
      }
      if (--this.#left < 0) this.#isLost = true;
      this.#visited.add(base + at);
      this.#atom = atom;
      this.#meanings = this.#caller.code.meanings(this.#bodyOf(atom));
      const next = at + step.length;
      const goesOn = this.#instruction(step, state, base, atom);
      if (!goesOn) return;
      at = next;
      const known = this.#states.get(base + at);
      if (known !== undefined) {
        if (known.merge(state)) this.#queue.add(base + at);
        return;
      }
    }
  }

  /** @returns whether what follows it may run next */
  #instruction(step: Step, state: PointerState, base: number, atom: Atom): boolean {
    this.#entries(atom, step, state, base);
    const outcome = this.#flow.outcome(step);
    switch (outcome.kind) {
      case "branch":
        return this.#branch(outcome, state, base);
      case "return":
        return this.#return(state);
      case "stop":
        return false;
      case "indirect-call":
        this.#indirectCall(outcome.slot, state);
        return true;
      case "indirect-jump":
        return this.#indirectJump(this.#flow.loaded(step, state, this), state, outcome.slot);
      case "lost":
        this.#isLost = true;
        return false;
      case "system":
        this.#call(undefined, "the system", state);
    }
    this.#how = "is stored in memory that outlives the call";
    this.#flow.step(step, state, this);
    for (const entry of this.#caller.code.leadsFrom(atom, step.at))
      if (entry.table.leads === "fault") this.#leads(entry, state);
    return true;
  }

  /** Where the kernel's tables lead from an instruction. */
  #entries(atom: Atom, { at, length }: Step, state: PointerState, base: number): void {
    for (const entry of this.#caller.code.leadsFrom(atom, at)) {
      if (entry.table.leads !== "replacement") this.#leads(entry, state);
      else {
        this.#comeTo(base + at + length, state);
        this.#replacement(entry, state);
      }
    }
  }

  #leads({ table, references }: TableEntry, state: PointerState): void {
    for (const { target, offset } of references)
      if (offset !== table.key && target.kind === "atom" && isCode(target.atom))
        this.#comeTo(this.#place(target.atom, target.offset), state);
  }

  /** What is put in an instruction's place does to registers what that does; it may lead elsewhere. */
  #replacement({ table, references }: TableEntry, state: PointerState): void {
    for (const { target, offset } of references) {
      if (offset === table.key || target.kind !== "atom" || !isCode(target.atom)) continue;
      for (const meaning of this.#caller.code.meanings(this.#bodyOf(target.atom)).values())
        if (meaning.kind === "place" && meaning.isBranch && meaning.atom !== target.atom)
          this.#comeTo(this.#place(meaning.atom, meaning.offset), state);
    }
  }

  #branch(outcome: Outcome & { readonly kind: "branch" }, state: PointerState, base: number): boolean {
    const { field, to, isCall, isConditional } = outcome;
    const meaning = this.#meanings.get(field);
    if (meaning?.kind === "callee") {
      if (isCall) this.#direct(meaning.callee, state);
      else this.#tailCall(meaning.callee, isConditional ? state.copy() : state);
      return isCall || isConditional;
    }
    let target: number | undefined;
    if (meaning?.kind === "place") target = this.#place(meaning.atom, meaning.offset);
    else if (meaning === undefined && to >= 0 && to < this.#atom.data.length) target = base + to;
    if (target === undefined) {
      this.#isLost = true;
      return false;
    }
    if (isCall) {
      const atom = this.#atoms[Math.floor(target / STRIDE)] as Atom;
      const isOwnEntry = atom.kind === "function" && target % STRIDE === entryOffset(atom);
      if (!isOwnEntry) this.#isLost = true;
      this.#direct({ name: atom.name, body: this.#bodyOf(atom) }, state);
      return true;
    }
    this.#comeTo(target, state);
    return isConditional;
  }

  #direct(callee: Callee, state: PointerState): void {
    const isPointer = this.#flow.thunk(callee.name) !== undefined;
    this.#call(isPointer ? undefined : callee, isPointer ? "" : callee.name, state);
  }

  #tailCall(callee: Callee, state: PointerState): void {
    if (this.#flow.returning.test(callee.name)) {
      this.#return(state);
      return;
    }
    const register = this.#flow.thunk(callee.name)?.register ?? -1;
    if (register >= 0) {
      this.#indirectJump(state.registers[register] as Value, state);
      return;
    }
    this.#call(callee, callee.name, state);
    this.#return(state);
  }

  #indirectCall(slot: number | undefined, state: PointerState): void {
    const meaning = slot === undefined ? undefined : this.#meanings.get(slot);
    if (meaning?.kind === "running" && meaning.name !== "" && (meaning.isSlot || meaning.name === "pv_ops"))
      this.#call({ name: meaning.name, body: undefined }, meaning.name, state);
    else this.#call(undefined, "", state);
  }

  /** A table of jumps is the livepatch's own; any other pointer leads to a function, or to a label that the code took. */
  #indirectJump(to: Value, state: PointerState, slot?: number): boolean {
    const isInTable = to.sources !== 0;
    // Tables of the running object are not at hand.
    if (!this.#body.isNew) this.#isLost = true;
    this.#anywhere.merge(state);
    if (isInTable) {
      if (this.#looseState === undefined) this.#looseState = state.copy();
      else this.#looseState.merge(state);
      for (const key of this.#loose) this.#comeTo(key, this.#looseState);
    }
    if (!isInTable || !this.#sources.areJumpTables(to.sources)) {
      this.#indirectCall(slot, state);
      this.#return(state);
    }
    return false;
  }

  #return(state: PointerState): false {
    const [first, second] = this.#flow.results;
    const result = madeFrom(state.registers[first] as Value, state.registers[second] as Value);
    this.#returned |= result.sources | state.vector;
    return false;
  }

  /** @param name for a reader; empty for a function that a pointer leads to */
  #call(callee: Callee | undefined, name: string, state: PointerState): void {
    const given = new Map<number, Given>();
    let all = 0;
    let hasFrame = false;
    for (const register of [...this.#flow.arguments, ...this.#flow.alsoPassed]) {
      const { sources, frame, isExact } = state.registers[register] as Value;
      if (sources !== 0) given.set(register, { sources: this.#sources.of(sources), isExact });
      if (frame !== undefined) hasFrame = true;
      all |= sources;
    }
    const held = state.heldFrom((state.registers[this.#flow.stackPointer] as Value).frame);
    const contract = this.#caller.contractOf(callee);
    // What lies in the frame may be an argument, or be read through the address of the frame.
    const isRead = contract === undefined || (contract.copies && hasFrame);
    const to = name === "" ? "a function that a pointer leads to" : name;
    if (held !== 0 && isRead) this.#report(held | all, `is passed to ${to}, which may keep it`);
    const outcome = held !== 0 && isRead ? undefined : this.#caller.call(callee, given);
    for (const { what, how } of outcome?.escapes ?? [])
      this.#add({ what, how: how === "" ? `is passed to ${to}, which may keep it` : how });
    if (hasFrame && contract === undefined) state.isExposed = true;
    const result = outcome === undefined ? CLEAN : madeFrom(this.#sources.value(outcome.result));
    if (callee !== undefined && this.#flow.preserving.test(callee.name)) return;
    const [first, second] = this.#flow.results;
    for (const register of this.#flow.clobbered) state.registers[register] = CLEAN;
    state.registers[first] = result;
    state.registers[second] = contract === undefined ? result : CLEAN;
    state.vector = 0;
    state.forgetPushed();
    this.#anywhere.merge(state);
  }

  field(offset: number): Field | undefined {
    const meaning = this.#meanings.get(offset);
    if (meaning === undefined) return undefined;
    if (meaning.kind === "own") {
      const sources = this.#sources.bit(meaning.thing);
      return { kind: meaning.isSlot ? "slot" : "address", sources };
    }
    if (meaning.kind === "place") return { kind: "address", sources: this.own() };
    return meaning.isSlot ? { kind: "slot", sources: 0 } : { kind: "other" };
  }

  own(): number {
    return this.#body.isNew ? this.#sources.bit(this.#body.atom) : 0;
  }

  holding(sources: number): number {
    return this.#sources.holding(sources);
  }

  keeps(into: number, value: number): void {
    if (!this.#sources.keep(into)) this.escapes(value);
  }

  escapes(sources: number): void {
    this.#report(sources, this.#how);
  }

  #report(sources: number, how: string): void {
    for (const { what } of this.#sources.of(sources)) this.#add({ what, how });
  }

  #add(found: Escape): void {
    this.#escapes.set(`${found.what} ${found.how}`, found);
  }
}
