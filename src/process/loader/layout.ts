/** Where the parts of a livepatch lie: one part that is read and executed, one that is read and written. */
import { SHF } from "../../elf/constants.ts";
import { nativeLoad } from "../os/native.ts";
import type { LivepatchObject, LivepatchRelocation, LivepatchSymbol } from "./livepatch.ts";

/** A part is one mapping, so it has one protection. */
export type PartName = "executable" | "writable";

/** Within a part. */
export interface PartPlace {
  readonly part: PartName;
  readonly offset: number;
}

/** Offsets are bytes from the start of the part, whole whatever address the part gets. */
export interface Layout {
  /** Bytes of each part. */
  readonly executable: number;
  readonly writable: number;
  /** By section index. */
  readonly sections: ReadonlyMap<number, PartPlace>;
  /** Offsets in the executable part, which the process itself never writes to; by `slotKey`. */
  readonly slots: ReadonlyMap<string, number>;
  /** Offsets in the executable part; by `symbolKey`. */
  readonly stubs: ReadonlyMap<string, number>;
  /** What tells the program's unwinder of the new code: code in the executable part, and memory in the writable one. */
  readonly unwinding: { readonly code: number; readonly object: number } | undefined;
}

const SLOT_SIZE = 8;

/** @param isTold whether the program's own unwinder will be told of the new code */
export function layOut({ sections, relocations }: LivepatchObject, isTold = false): Layout {
  const { importStubSize, registration } = nativeLoad();
  const sizes = { executable: 0, writable: 0 };
  const reserve = (part: PartName, size: number, alignment: number): number => {
    const offset = Math.ceil(sizes[part] / alignment) * alignment;
    sizes[part] = offset + size;
    return offset;
  };
  const places = new Map<number, PartPlace>();
  const codeFirst = sections.toSorted((a, b) => (b.flags & SHF.EXECINSTR) - (a.flags & SHF.EXECINSTR));
  for (const { index, flags, size, alignment } of codeFirst) {
    const part = (flags & SHF.WRITE) !== 0 ? "writable" : "executable";
    places.set(index, { part, offset: reserve(part, size, Math.max(1, alignment)) });
  }
  const slots = new Map<string, number>();
  const stubs = new Map<string, number>();
  for (const relocation of relocations) {
    const slot = slotKey(relocation);
    if (slot !== undefined && !slots.has(slot)) {
      const isPair = slot.startsWith("module");
      slots.set(slot, reserve("executable", isPair ? 2 * SLOT_SIZE : SLOT_SIZE, isPair ? 16 : 8));
    }
    const stub = stubName(relocation);
    if (stub === undefined || stubs.has(stub)) continue;
    stubs.set(stub, reserve("executable", importStubSize, 8));
    const address = `slot ${stub}`;
    if (!slots.has(address)) slots.set(address, reserve("executable", SLOT_SIZE, 8));
  }
  const unwinding = isTold
    ? {
        code: reserve("executable", 2 * registration.size, registration.size),
        object: reserve("writable", registration.objectSize, 64),
      }
    : undefined;
  return { ...sizes, sections: places, slots, stubs, unwinding };
}

/** What tells one slot from another; undefined for a relocation that needs none. */
export function slotKey({ type, symbol }: LivepatchRelocation): string | undefined {
  const value = nativeLoad().relocationValue(type);
  switch (value) {
    case "slot":
    case "threadSlot":
    case "modulePair":
      return `${value} ${symbolKey(symbol)}`;
    case "moduleBase":
      return value;
    default:
      return undefined;
  }
}

/** What is called by name may lie anywhere: another object may have it, or come first with a definition of its own. */
function stubName({ type, symbol }: LivepatchRelocation): string | undefined {
  const isNamed = symbol.kind === "import" || symbol.kind === "object";
  return nativeLoad().relocationValue(type) === "call" && isNamed ? symbolKey(symbol) : undefined;
}

/** One key for what one stub or slot serves. */
export function symbolKey(symbol: LivepatchSymbol): string {
  switch (symbol.kind) {
    case "own":
      return `own ${symbol.section} ${symbol.offset}`;
    case "object":
      return `object ${symbol.address} ${symbol.name} ${symbol.isDirect}`;
    case "thread":
      return `thread ${symbol.offset}`;
    case "import":
      return `import ${symbol.name} ${symbol.isWeak}`;
    case "absolute":
      return `absolute ${symbol.value}`;
  }
}
