/**
 * Follows the code of one function from its entry along all ways that it can
 * take, and tells where addresses of the livepatch get to: an abstract
 * interpretation over `PointerState`, to its fixed point.
 */
import { GPR, type Parts } from "../../arch/x86_64/instruction-parts.ts";
import type { Field, Surroundings } from "../../arch/x86_64/pointer-operands.ts";
import { CLEAN, madeFrom, PointerState, type Value } from "../../arch/x86_64/pointer-state.ts";
import { loaded, step } from "../../arch/x86_64/pointer-step.ts";
import { type Atom, entryOffset, type TableEntry } from "../unit.ts";
import type { Body, Callee, LivepatchCode, Meaning, Scan } from "./code.ts";
import type { Contract } from "./contract.ts";
import type { Source, Sources } from "./sources.ts";

/** An address that may be kept, and by what: the end of a sentence that begins with what it is an address of. */
export interface Escape {
  readonly what: string;
  readonly how: string;
}

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

export interface Caller {
  readonly code: LivepatchCode;
  /** @param given by the register's number, where that holds any */
  call(callee: Callee | undefined, given: ReadonlyMap<number, Given>): CallOutcome;
  contractOf(callee: Callee | undefined): Contract | undefined;
}

const { rax, rcx, rdx, rsp, rsi, rdi, r8, r9, r10, r11 } = GPR;
const ARGUMENTS = [rdi, rsi, rdx, rcx, r8, r9, r10];
const CLOBBERED = [rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11];
/** An offset lies below this, so that a place is one number. */
const STRIDE = 2 ** 32;
/** So many instructions are looked at for one function: a loop of many values takes its time. */
const LIMIT = 400_000;

/** Code that is called with a convention of its own and leaves registers as they are. */
const PRESERVING =
  /^(__fentry__|__get_user_|__put_user_|copy_user_|clear_user_|clear_page|__sw_hweight|pv_ops$|__raw_callee_save_|__SCT__preempt|preempt_schedule.*thunk|__SCT__(cond_resched|might_resched)|.*_emu$|asm_|native_)/;
const RETURNS = /^(__x86_return_thunk|srso_(alias_)?return_thunk|retbleed_return_thunk|its_return_thunk)$/;
const INDIRECT = /^__x86_indirect_(?:call_|jump_)?thunk_(\w+)$/;
const THUNK_REGISTERS = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");

export class Follower implements Surroundings {
  readonly #caller: Caller;
  readonly #body: Body;
  readonly #sources: Sources;
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
  #anywhere = PointerState.atEntry();
  #isLost = false;
  /** Of the code that the step looks at. */
  #meanings: ReadonlyMap<number, Meaning> = new Map();
  #atom: Atom;

  constructor(body: Body, caller: Caller, sources: Sources) {
    this.#body = body;
    this.#atom = body.atom;
    this.#caller = caller;
    this.#sources = sources;
  }

  /** undefined where the code could not be followed to its end. */
  run(entry: PointerState): Followed | undefined {
    this.#anywhere = entry.copy();
    this.#flow(this.#place(this.#body.atom, entryOffset(this.#body.atom)), entry);
    do {
      for (const key of this.#queue) {
        this.#queue.delete(key);
        this.#block(key);
        if (this.#isLost) return undefined;
      }
      // What is entered in a way that code does not show: where exceptions are caught.
      for (const key of this.#unvisited()) this.#unseen.add(key);
      for (const key of this.#unseen) this.#flow(key, this.#anywhere);
    } while (this.#queue.size > 0);
    return { escapes: [...this.#escapes.values()], returns: this.#sources.of(this.#returned) };
  }

  #unvisited(): number[] {
    for (const [index, atom] of this.#atoms.entries()) {
      for (const { at, map, opcode, prefix } of this.#scanOf(atom).parts.values()) {
        const isPadding =
          map === 0 ? opcode === 0xcc || (opcode === 0x90 && prefix === 0) : opcode === 0x1f || opcode === 0x0b;
        if (!this.#visited.has(index * STRIDE + at) && !isPadding) return [index * STRIDE + at];
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
    const scan = this.#caller.code.scan(this.#bodyOf(atom));
    if (!scan.isWhole) this.#isLost = true;
    return scan;
  }

  /** Labels that data or code has the address of. */
  #findLoose(atom: Atom, index: number): void {
    const scan = this.#scanOf(atom);
    for (const offset of this.#caller.code.innerTargets(atom))
      if (scan.parts.has(offset)) this.#addLoose(index * STRIDE + offset);
    const meanings = this.#caller.code.meanings(this.#bodyOf(atom));
    for (const meaning of meanings.values())
      if (meaning.kind === "place" && !meaning.isBranch) this.#addLoose(this.#place(meaning.atom, meaning.offset));
    for (const { memory, at, length } of scan.parts.values()) {
      if (memory?.isRipRelative !== true || memory.field === undefined || meanings.has(memory.field)) continue;
      const to = at + length + memory.displacement;
      if (scan.parts.has(to)) this.#addLoose(index * STRIDE + to);
    }
  }

  #addLoose(key: number): void {
    if (this.#loose.has(key)) return;
    this.#loose.add(key);
    if (this.#looseState !== undefined) this.#flow(key, this.#looseState);
  }

  #flow(key: number, state: PointerState): void {
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
      const parts = scan.parts.get(at);
      // Behind the last instruction is nothing that runs: what was called does not return.
      if (parts === undefined) {
        if (at < scan.end) this.#isLost = true;
        return;
      }
      if (--this.#left < 0) this.#isLost = true;
      this.#visited.add(base + at);
      this.#atom = atom;
      this.#meanings = this.#caller.code.meanings(this.#bodyOf(atom));
      const next = at + parts.length;
      const goesOn = this.#instruction(parts, state, base, atom);
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
  #instruction(parts: Parts, state: PointerState, base: number, atom: Atom): boolean {
    this.#entries(atom, parts, state, base);
    const { map, opcode, extension, branch } = parts;
    if (branch !== 0) return this.#branch(parts, state, base);
    if (map === 0) {
      if (opcode === 0xc2 || opcode === 0xc3) return this.#return(state);
      if (opcode === 0xcc || opcode === 0xca || opcode === 0xcb || opcode === 0xcf) return false;
      if (opcode === 0xc8) this.#isLost = true;
      if (opcode === 0xff && extension === 2) return this.#indirectCall(parts, state);
      if (opcode === 0xff && extension === 4) return this.#indirectJump(loaded(parts, state, this), state, parts);
      if (opcode === 0xcd) this.#call(undefined, "the system", state);
    }
    if (map === 1 && opcode === 0x05) this.#call(undefined, "the system", state);
    this.#how = "is stored in memory that outlives the call";
    step(parts, state, this);
    for (const entry of this.#caller.code.leadsFrom(atom, parts.at))
      if (entry.table.name === "__ex_table") this.#leads(entry, state);
    return true;
  }

  /** Where the kernel's tables lead from an instruction. */
  #entries(atom: Atom, { at, length }: Parts, state: PointerState, base: number): void {
    for (const entry of this.#caller.code.leadsFrom(atom, at)) {
      if (entry.table.name !== ".altinstructions") this.#leads(entry, state);
      else {
        this.#flow(base + at + length, state);
        this.#replacement(entry, state);
      }
    }
  }

  #leads({ table, references }: TableEntry, state: PointerState): void {
    for (const { target, offset } of references)
      if (offset !== table.key && target.kind === "atom" && isCodeAtom(target.atom))
        this.#flow(this.#place(target.atom, target.offset), state);
  }

  /** What is put in an instruction's place does to registers what that does; it may lead elsewhere. */
  #replacement({ table, references }: TableEntry, state: PointerState): void {
    for (const { target, offset } of references) {
      if (offset === table.key || target.kind !== "atom" || !isCodeAtom(target.atom)) continue;
      for (const meaning of this.#caller.code.meanings(this.#bodyOf(target.atom)).values())
        if (meaning.kind === "place" && meaning.isBranch && meaning.atom !== target.atom)
          this.#flow(this.#place(meaning.atom, meaning.offset), state);
    }
  }

  #branch(parts: Parts, state: PointerState, base: number): boolean {
    const { map, opcode, at, length, branch } = parts;
    const isCall = map === 0 && opcode === 0xe8;
    const isConditional = !isCall && !(map === 0 && (opcode === 0xe9 || opcode === 0xeb));
    const field = at + length - branch;
    const meaning = this.#meanings.get(field);
    if (meaning?.kind === "callee") {
      if (isCall) this.#direct(meaning.callee, state);
      else this.#tailCall(meaning.callee, isConditional ? state.copy() : state);
      return isCall || isConditional;
    }
    let target: number | undefined;
    if (meaning?.kind === "place") target = this.#place(meaning.atom, meaning.offset);
    else if (meaning === undefined) {
      const to = at + length + (branch === 1 ? parts.code.readInt8(field) : parts.code.readInt32LE(field));
      if (to >= 0 && to < this.#atom.data.length) target = base + to;
    }
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
    this.#flow(target, state);
    return isConditional;
  }

  #direct(callee: Callee, state: PointerState): void {
    const through = INDIRECT.exec(callee.name)?.[1];
    this.#call(through === undefined ? callee : undefined, through === undefined ? callee.name : "", state);
  }

  #tailCall(callee: Callee, state: PointerState): void {
    if (RETURNS.test(callee.name)) {
      this.#return(state);
      return;
    }
    const through = INDIRECT.exec(callee.name)?.[1];
    const register = through === undefined ? -1 : THUNK_REGISTERS.indexOf(through);
    if (register >= 0) {
      this.#indirectJump(state.registers[register] as Value, state);
      return;
    }
    this.#call(callee, callee.name, state);
    this.#return(state);
  }

  #indirectCall(parts: Parts, state: PointerState): boolean {
    const meaning = parts.memory?.field === undefined ? undefined : this.#meanings.get(parts.memory.field);
    const isPlain = parts.memory?.base === undefined && parts.memory?.index === undefined;
    if (isPlain && meaning?.kind === "running" && meaning.name !== "" && (meaning.isSlot || meaning.name === "pv_ops"))
      this.#call({ name: meaning.name, body: undefined }, meaning.name, state);
    else this.#call(undefined, "", state);
    return true;
  }

  /** A table of jumps is the livepatch's own; any other pointer leads to a function, or to a label that the code took. */
  #indirectJump(to: Value, state: PointerState, parts?: Parts): boolean {
    const isInTable = to.sources !== 0;
    // Tables of the running object are not at hand.
    if (!this.#body.isNew) this.#isLost = true;
    this.#anywhere.merge(state);
    if (isInTable) {
      if (this.#looseState === undefined) this.#looseState = state.copy();
      else this.#looseState.merge(state);
      for (const key of this.#loose) this.#flow(key, this.#looseState);
    }
    if (!isInTable || !this.#sources.areJumpTables(to.sources)) {
      if (parts === undefined) this.#call(undefined, "", state);
      else this.#indirectCall(parts, state);
      this.#return(state);
    }
    return false;
  }

  #return(state: PointerState): false {
    const result = madeFrom(state.registers[rax] as Value, state.registers[rdx] as Value);
    this.#returned |= result.sources | state.vector;
    return false;
  }

  /** @param name for a reader; empty for a function that a pointer leads to */
  #call(callee: Callee | undefined, name: string, state: PointerState): void {
    const given = new Map<number, Given>();
    let all = 0;
    let hasFrame = false;
    for (const register of ARGUMENTS) {
      const { sources, frame, isExact } = state.registers[register] as Value;
      if (sources !== 0) given.set(register, { sources: this.#sources.of(sources), isExact });
      if (frame !== undefined) hasFrame = true;
      all |= sources;
    }
    const held = state.heldFrom((state.registers[rsp] as Value).frame);
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
    if (callee !== undefined && PRESERVING.test(callee.name)) return;
    for (const register of CLOBBERED) state.registers[register] = CLEAN;
    state.registers[rax] = result;
    state.registers[rdx] = contract === undefined ? result : CLEAN;
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

function isCodeAtom({ kind }: Atom): boolean {
  return kind === "function" || kind === "code";
}
