/** A livepatch's part for one object, made ready for its place in one process. */
import type { Code, CodeRange } from "../../core/machine.ts";
import { SHF, SHT } from "../../elf/constants.ts";
import { SutureError } from "../../lib/error.ts";
import { type CallbackName, SHADOWS_SECTION } from "../../patch/program-metadata.ts";
import { isRefusal, type Refusal, refusal } from "../../patch/refusal.ts";
import { native, nativeLoad, PAGE } from "../os/native.ts";
import { type Layout, slotKey, symbolKey } from "./layout.ts";
import type { LivepatchObject, LivepatchRelocation, LivepatchSymbol, Place } from "./livepatch.ts";
import type { Import, Resolver } from "./resolve.ts";
import type { Unwinder } from "./unwinding.ts";

/** Addresses of the process. */
export interface PartAddresses {
  readonly executable: number;
  readonly writable: number;
}

/** The finished bytes of one object's part, for one address in one process. */
export interface PlacedObject {
  /** Contents of the two parts. */
  readonly executable: Buffer;
  readonly writable: Buffer;
  /** The new functions, in the order of the object's funcs. */
  readonly funcs: readonly Code[];
  /** All new code, half-open. */
  readonly code: readonly CodeRange[];
  readonly callbacks: { readonly [Name in CallbackName]?: number };
  /** Call-frame information of the new code, relocated. */
  readonly frames: { readonly address: number; readonly data: Buffer } | undefined;
  /** Code that tells the program's unwinder of these frames, code that takes that back, and the word that says whether it knows. */
  readonly unwinding: { readonly tell: number; readonly takeBack: number; readonly isTold: number } | undefined;
}

/** What a part is placed with, besides the livepatch itself. */
export interface Placing {
  readonly at: PartAddresses;
  readonly resolver: Resolver;
  /** Address of the process's shadow variables; read only where `usesShadows` says so. */
  readonly shadows: number;
  /** The program's own, if it has to be told of the new code. */
  readonly unwinder?: Unwinder | undefined;
}

/**
 * Refusals: the resolver's, and `OUT_OF_REACH` where something that the
 * new code refers to directly lies further away than a reference goes.
 */
export function place(
  object: LivepatchObject,
  layout: Layout,
  { at, resolver, shadows, unwinder }: Placing,
): PlacedObject | Refusal {
  const parts = {
    executable: Buffer.alloc(layout.executable, native().linux.trap),
    writable: Buffer.alloc(layout.writable),
  };
  for (const { index, name, type, data, size } of object.sections) {
    const { part, offset } = required(layout.sections.get(index));
    if (type === SHT.NOBITS) parts[part].fill(0, offset, offset + size);
    else data.copy(parts[part], offset);
    if (!name.startsWith(SHADOWS_SECTION)) continue;
    for (let field = 0; field + 8 <= size; field += 8) native().words.setSize(parts[part], offset + field, shadows);
  }
  const addressOf = ({ section, offset }: Place): number => {
    const place = required(layout.sections.get(section));
    return at[place.part] + place.offset + offset;
  };
  const binder = new Binder({ layout, at, resolver, addressOf, executable: parts.executable });
  for (const relocation of object.relocations) {
    const { part, offset } = required(layout.sections.get(relocation.section));
    const within = offset + relocation.offset;
    const field = { data: parts[part], offset: within, at: at[part] + within };
    const value = binder.value(relocation);
    if (isRefusal(value)) return value;
    if (!nativeLoad().applyRelocation(field, relocation.type, value, relocation.addend))
      return outOfReach(relocation.symbol, object);
  }
  const frames = object.sections.find(({ name }) => name.startsWith(".eh_frame"));
  const framesAt = frames === undefined ? undefined : required(layout.sections.get(frames.index));
  const told = unwinder && framesAt && { ...unwinder, frames: at[framesAt.part] + framesAt.offset };
  return {
    ...parts,
    unwinding: told && tellUnwinder(told, layout, at, parts.executable),
    funcs: object.funcs.map(({ entry, pieces }) => ({
      entry: addressOf(entry),
      ranges: pieces.map((piece) => ({ start: addressOf(piece), end: addressOf(piece) + piece.size })),
    })),
    code: object.sections
      .filter(({ flags, size }) => (flags & SHF.EXECINSTR) !== 0 && size > 0)
      .map(({ index, size }) => {
        const start = addressOf({ section: index, offset: 0 });
        return { start, end: start + size };
      }),
    callbacks: Object.fromEntries(Object.entries(object.callbacks).map(([name, it]) => [name, addressOf(it)])),
    frames:
      frames === undefined || framesAt === undefined
        ? undefined
        : {
            address: at[framesAt.part] + framesAt.offset,
            data: parts[framesAt.part].subarray(framesAt.offset, framesAt.offset + frames.size),
          },
  };
}

function tellUnwinder(
  told: Unwinder & { readonly frames: number },
  { unwinding }: Layout,
  at: PartAddresses,
  executable: Buffer,
): PlacedObject["unwinding"] {
  if (unwinding === undefined) throw new Error("a layout without room for what tells the unwinder");
  const { registration } = nativeLoad();
  const tell = at.executable + unwinding.code;
  const object = at.writable + unwinding.object;
  registration.code(tell, { object, ...told }).copy(executable, unwinding.code);
  return { tell, takeBack: tell + registration.size, isTold: object + registration.state };
}

/** Whether the new code has shadow variables, so that the process needs a place for them. */
export function usesShadows({ sections }: LivepatchObject): boolean {
  return sections.some(({ name }) => name.startsWith(SHADOWS_SECTION));
}

/** Bytes of struct suture_shadows (include/suture/program.h), all zeros at first. */
export const SHADOWS_SIZE = PAGE;

/** What relocations of one object's part are filled in by. */
interface Binding {
  readonly layout: Layout;
  readonly at: PartAddresses;
  readonly resolver: Resolver;
  readonly addressOf: (place: Place) => number;
  /** The part's contents, in which slots and stubs are written. */
  readonly executable: Buffer;
}

class Binder {
  readonly #layout: Layout;
  readonly #at: PartAddresses;
  readonly #resolver: Resolver;
  readonly #addressOf: (place: Place) => number;
  readonly #executable: Buffer;
  readonly #filled = new Set<string>();

  constructor({ layout, at, resolver, addressOf, executable }: Binding) {
    this.#layout = layout;
    this.#at = at;
    this.#resolver = resolver;
    this.#addressOf = addressOf;
    this.#executable = executable;
  }

  value(relocation: LivepatchRelocation): number | Refusal {
    const { type, symbol } = relocation;
    switch (nativeLoad().relocationValue(type)) {
      case "call":
        return this.#called(symbol);
      case "slot":
        return this.#slot(slotKey(relocation), () => [this.#bound(symbol)]);
      case "threadSlot":
        return this.#slot(slotKey(relocation), () => [this.#threadOffset(symbol)]);
      case "modulePair":
        return this.#slot(slotKey(relocation), () => [this.#resolver.threadModule(), this.#moduleOffset(symbol)]);
      case "moduleBase":
        return this.#slot(slotKey(relocation), () => [this.#resolver.threadModule(), 0]);
      case "moduleOffset":
        return this.#moduleOffset(symbol);
      case "threadOffset":
        return this.#threadOffset(symbol);
      default:
        // A whole address is filled in by the dynamic linker; a distance in the code is the compiler's own knowledge.
        return type === native().pointer ? this.#bound(symbol) : this.#address(symbol);
    }
  }

  /** As the dynamic linker would bind it. */
  #bound(symbol: LivepatchSymbol): number | Refusal {
    return symbol.kind === "object" && !symbol.isDirect
      ? this.#resolver.bound(symbol.name, symbol.address)
      : this.#address(symbol);
  }

  #called(symbol: LivepatchSymbol): number | Refusal {
    if (symbol.kind === "import") {
      const found = this.#resolver.import(symbol);
      return isRefusal(found) ? found : this.#stub(symbol, found);
    }
    const address = this.#bound(symbol);
    if (isRefusal(address) || symbol.kind !== "object" || address === this.#address(symbol)) return address;
    return this.#stub(symbol, { address, slot: undefined });
  }

  #address(symbol: LivepatchSymbol): number | Refusal {
    switch (symbol.kind) {
      case "own":
        return this.#addressOf(symbol);
      case "object":
        return this.#resolver.bias + symbol.address;
      case "import": {
        const found = this.#resolver.import(symbol);
        return isRefusal(found) ? found : found.address;
      }
      case "absolute":
        return symbol.value;
      case "thread":
        throw new SutureError(
          "LIVEPATCH_CORRUPT",
          `the livepatch takes the address of the thread-local ${symbol.name}`,
        );
    }
  }

  #threadOffset(symbol: LivepatchSymbol): number | Refusal {
    const [within, module] = [this.#moduleOffset(symbol), this.#resolver.threadOffset()];
    return isRefusal(within) ? within : isRefusal(module) ? module : within + module;
  }

  #moduleOffset(symbol: LivepatchSymbol): number | Refusal {
    if (symbol.kind === "thread") return symbol.offset;
    if (symbol.kind === "absolute") return symbol.value;
    return refusal(
      "THREAD_LOCAL_DYNAMIC",
      "the new code uses a thread-local variable of another object",
      symbol.kind === "import" ? symbol.name : this.#resolver.path,
      "change a function that does not use it",
    );
  }

  #slot(key: string | undefined, values: () => readonly (number | Refusal)[]): number | Refusal {
    const offset = required(this.#layout.slots.get(key ?? ""));
    if (!this.#filled.has(key ?? "")) {
      this.#filled.add(key ?? "");
      for (const [index, value] of values().entries()) {
        if (isRefusal(value)) return value;
        native().words.setI64(this.#executable, offset + 8 * index, BigInt(value));
      }
    }
    return this.#at.executable + offset;
  }

  #stub(symbol: LivepatchSymbol, { address, slot }: Import): number | Refusal {
    const key = symbolKey(symbol);
    const offset = required(this.#layout.stubs.get(key));
    const at = this.#at.executable + offset;
    const own = this.#slot(`slot ${key}`, () => [address]);
    if (isRefusal(own)) return own;
    const code =
      (slot === undefined ? undefined : nativeLoad().importStub(at, slot)) ?? nativeLoad().importStub(at, own);
    required(code).copy(this.#executable, offset);
    return at;
  }
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a layout that does not belong to the livepatch");
  return value;
}

function outOfReach(symbol: LivepatchSymbol, { record }: LivepatchObject): Refusal {
  const name = "name" in symbol ? symbol.name : symbol.kind;
  return refusal(
    "OUT_OF_REACH",
    `the new code refers to ${name} directly, and that lies too far away`,
    record.name,
    "compile the unit with -fPIC, so that it refers to what other objects have by a table",
  );
}
