/** What a livepatch's symbols are in one process. */
import { PF, PT } from "../../elf/constants.ts";
import { isRefusal, type Refusal, refusal } from "../../patch/refusal.ts";
import type { LoadedObject } from "../maps/loaded-object.ts";
import { type ReadMemory, tried } from "../maps/mapped-elf.ts";
import { native, nativeLoad } from "../os/native.ts";
import { type Definition, Scope } from "./scope.ts";

/** Where an imported symbol is. */
export interface Import {
  readonly address: number;
  /** A slot of the patched object's own that leads there: it is followed by calls, since the dynamic linker may yet fill it in. */
  readonly slot: number | undefined;
}

/** Addresses and numbers that the livepatch of one object needs, or why they cannot be had in this process. */
export class Resolver {
  readonly #own: LoadedObject;
  readonly #all: readonly LoadedObject[];
  readonly #read: ReadMemory;
  readonly #scope: Scope;

  /** @param all in the order in which the dynamic linker looks names up */
  constructor(own: LoadedObject, all: readonly LoadedObject[], read: ReadMemory) {
    this.#own = own;
    this.#all = all;
    this.#read = read;
    this.#scope = new Scope(own, all);
  }

  /** Of the object, for messages. */
  get path(): string {
    return this.#own.path;
  }

  get bias(): number {
    return this.#own.elf.bias;
  }

  /**
   * Refusals: `IMPORT_NOT_FOUND`, and `IMPORT_UNDECIDED` for an indirect function
   * (ifunc) of which nothing in the process says yet which version is taken.
   * @param isWeak it may be nowhere, and is 0 then: what the object itself has of it says whether it was when it was loaded
   */
  import({ name, isWeak }: { readonly name: string; readonly isWeak: boolean }): Import | Refusal {
    const own = this.#slotsOf(this.#own, name, ["call", "address"]);
    const slot = own.find(({ kind }) => kind === "call")?.at;
    const taken = own.find(({ kind }) => kind === "address")?.at;
    if (isWeak && taken !== undefined && this.#isNothing(taken)) return { address: 0, slot: undefined };
    const filled = own
      .map(({ at }) => this.#word(at))
      .find((value) => value !== 0 && !this.#isWithin(this.#own, value));
    if (filled !== undefined) return { address: filled, slot };
    const defined = this.#define(name);
    if (isRefusal(defined)) return defined;
    if (defined !== undefined && !defined.isIndirect) return { address: defined.address, slot };
    if (defined === undefined) {
      if (isWeak) return { address: 0, slot: undefined };
      return refusal(
        "IMPORT_NOT_FOUND",
        `the new code calls ${name}, and the process has no such function`,
        this.#own.path,
        "use only functions of libraries that the program has loaded",
      );
    }
    for (const other of this.#all) {
      for (const { at } of this.#slotsOf(other, name, ["call", "address"])) {
        const value = this.#word(at);
        if (this.#isWithin(defined.object, value)) return { address: value, slot };
      }
    }
    const chosen = defined.object.dynamic?.slots.find(
      ({ kind, addend }) => kind === "chosen" && addend === defined.address - defined.object.elf.bias,
    );
    if (chosen !== undefined && this.#isWithin(defined.object, this.#word(chosen.at)))
      return { address: this.#word(chosen.at), slot };
    const unfilled = slot === undefined ? 0 : this.#word(slot);
    if (slot !== undefined && unfilled !== 0) return { address: unfilled, slot };
    return refusal(
      "IMPORT_UNDECIDED",
      `the new code calls ${name}, of which ${defined.object.path} has several versions, and nothing in the process has chosen one`,
      this.#own.path,
      "use a function that the program itself calls already",
    );
  }

  /**
   * Where the object's own references to something of its own lead: another object's definition may
   * come before it. Refusal: `BINDING_UNDECIDED`.
   * @param address in the object's own address space
   */
  bound(name: string, address: number): number | Refusal {
    const own = this.bias + address;
    const exported = this.#own.isExecutable ? undefined : this.#own.dynamic?.find(name);
    if (exported === undefined || exported.value !== address || exported.type !== "plain") return own;
    for (const { kind, at, addend } of this.#slotsOf(this.#own, name, ["address", "pointer", "call"])) {
      const value = this.#word(at) - (kind === "pointer" ? addend : 0);
      // A call's slot that was not used yet leads back into the object.
      const isFilled = value !== 0 && (value === own || kind === "address" || !this.#isWithin(this.#own, value));
      if (isFilled) return value;
    }
    const found = this.#scope.find(name);
    if (found.kind === "undecided") return this.#undecided(name, found.definitions);
    if (found.kind === "nothing" || found.definition.object === this.#own) return own;
    // With -Bsymbolic-functions or a list of dynamic symbols the linker binds some inside, and the file says so nowhere.
    const { object, symbol } = found.definition;
    // What the executable has a copy of is that copy for all, or the library would be of no use to it.
    const isDecided = this.#looksUpOwn(this.#isCode(address)) || this.#slotsOf(object, name, ["copy"]).length > 0;
    if (!isDecided) return this.#undecided(name, [found.definition]);
    return object.elf.bias + symbol.value;
  }

  /** Whether the object has the dynamic linker look up what it defines itself, code or data. */
  #looksUpOwn(isCode: boolean): boolean {
    return (this.#own.dynamic?.slots ?? []).some(({ kind, name }) => {
      if (kind !== "address" && kind !== "pointer" && kind !== "call") return false;
      const symbol = this.#own.dynamic?.find(name);
      return symbol !== undefined && !symbol.isProtected && this.#isCode(symbol.value) === isCode;
    });
  }

  #isCode(address: number): boolean {
    return this.#own.elf.segments.some(
      (each) =>
        each.type === PT.LOAD &&
        (each.flags & PF.X) !== 0 &&
        address >= each.address &&
        address < each.address + each.memorySize,
    );
  }

  /** The object that has the definition which callers of an exported function get instead of the object's own; undefined where that is its own, or cannot be told. */
  interposer(address: number): { readonly name: string; readonly object: LoadedObject } | undefined {
    if (this.#own.isExecutable) return undefined;
    for (const { name, type } of this.#own.dynamic?.at(address) ?? []) {
      const found = type === "thread" ? undefined : this.#scope.find(name);
      if (found?.kind === "found" && found.definition.object !== this.#own)
        return { name, object: found.definition.object };
    }
    return undefined;
  }

  /** From the thread pointer to the object's thread-local storage. Refusal: `THREAD_LOCAL_DYNAMIC`. */
  threadOffset(): number | Refusal {
    const segment = this.#own.elf.segments.find(({ type }) => type === PT.TLS);
    if (this.#own.isExecutable && segment !== undefined) return nativeLoad().threadOffset(segment);
    for (const { kind, name, at, addend } of this.#own.dynamic?.slots ?? []) {
      const offset = kind === "threadOffset" ? this.#ownThreadOffset(name) : undefined;
      if (offset !== undefined) return this.#word(at) - offset - addend;
    }
    return this.#dynamicThreadLocal();
  }

  /** The number of the object's thread-local storage, as `__tls_get_addr` takes it. Refusal: `THREAD_LOCAL_DYNAMIC`. */
  threadModule(): number | Refusal {
    for (const { kind, name, at } of this.#own.dynamic?.slots ?? []) {
      if (kind === "module" && this.#ownThreadOffset(name) !== undefined && this.#word(at) !== 0) return this.#word(at);
    }
    if (this.#own.isExecutable) return 1;
    return this.#dynamicThreadLocal();
  }

  /** undefined where the name is not the object's own; 0 for no name. */
  #ownThreadOffset(name: string): number | undefined {
    if (name === "") return 0;
    const symbol = this.#own.dynamic?.find(name);
    return symbol?.type === "thread" ? symbol.value : undefined;
  }

  #dynamicThreadLocal(): Refusal {
    return refusal(
      "THREAD_LOCAL_DYNAMIC",
      "the new code uses a thread-local variable of the library in a way that its own code does not",
      this.#own.path,
      "change a function that does not use thread-local variables",
    );
  }

  #define(name: string): { object: LoadedObject; address: number; isIndirect: boolean } | Refusal | undefined {
    const found = this.#scope.find(name);
    if (found.kind === "undecided") return this.#undecided(name, found.definitions);
    if (found.kind === "nothing") return undefined;
    const { object, symbol } = found.definition;
    return { object, address: object.elf.bias + symbol.value, isIndirect: symbol.type === "ifunc" };
  }

  #undecided(name: string, definitions: readonly Definition[]): Refusal {
    const where = definitions.map(({ object }) => object.path).join(", ");
    return refusal(
      "BINDING_UNDECIDED",
      `the new code uses ${name}, and which definition of it the dynamic linker would take cannot be told from outside`,
      where === "" ? `${this.#own.path}: loaded into a namespace of its own (dlmopen)` : where,
      "use something that the library refers to already, or restart the program with the fixed library",
    );
  }

  #slotsOf(object: LoadedObject, name: string, kinds: readonly string[]) {
    return (object.dynamic?.slots ?? []).filter((slot) => slot.name === name && kinds.includes(slot.kind));
  }

  #isWithin({ elf }: LoadedObject, address: number): boolean {
    return address >= elf.start && address < elf.end;
  }

  #isNothing(at: number): boolean {
    return tried(() => this.#read(at, 8))?.every((byte) => byte === 0) === true;
  }

  /** 0 where it cannot be read, or is no address. */
  #word(at: number): number {
    const bytes = tried(() => this.#read(at, 8));
    const value = bytes === undefined ? 0 : native().words.offset(bytes, 0);
    return Math.abs(value) < nativeLoad().addressEnd ? value : 0;
  }
}
