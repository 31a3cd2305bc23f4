/**
 * A kernel's symbols in a file that is used as it lies: opening it decodes
 * nothing, looking something up is a binary search over its bytes.
 *
 * All numbers little endian, in kallsyms order unless said otherwise:
 *
 *   magic, 8 bytes; number of symbols, u32; bytes of names, u32
 *   addresses, u64 each, ascending
 *   ends of names, u32 each, within the names
 *   symbols by name, u32 each: their indexes, sorted by the names' bytes, then by index
 *   types, one byte each
 *   names, without separators
 */
import { LITTLE } from "../elf/words.ts";
import { SutureError } from "../lib/error.ts";
import type { KernelSymbol } from "./kallsyms.ts";

const MAGIC = Buffer.from("suturks1", "latin1");
const HEADER = 16;
/** Address, end of name, index by name, type. */
const PER_SYMBOL = 8 + 4 + 4 + 1;

/** One of the symbols that have a name, and which of them it is for the kernel's livepatch core. */
export interface NamedSymbol {
  readonly address: bigint;
  readonly type: string;
  /** From 1, among the symbols of this name, in kallsyms order: `sympos`. */
  readonly position: number;
  /** How many symbols have this name. */
  readonly count: number;
}

/** A kernel's symbols, looked up in bytes that were checked when they were opened. */
export interface SymbolTable {
  readonly size: number;
  /** All symbols of this name, in kallsyms order. */
  byName(name: string): NamedSymbol[];
  /** All symbols at exactly this address, in kallsyms order. */
  at(address: bigint): KernelSymbol[];
  /**
   * The symbol that an address belongs to, the first of several at the same
   * place, and where the next one starts; undefined below the first symbol.
   */
  covering(address: bigint): { readonly symbol: KernelSymbol; readonly next: bigint | undefined } | undefined;
}

/** `symbols` as `readKallsyms` gives them, ascending by address. */
export function encodeSymbolTable(symbols: readonly KernelSymbol[]): Buffer {
  const names = symbols.map(({ name }) => Buffer.from(name, "latin1"));
  const namesSize = names.reduce((size, name) => size + name.length, 0);
  const at = places(symbols.length);
  const table = Buffer.alloc(at.names + namesSize);
  MAGIC.copy(table);
  LITTLE.setU32(table, 8, symbols.length);
  LITTLE.setU32(table, 12, namesSize);
  const byName = Uint32Array.from(symbols.keys()).sort(
    (a, b) => Buffer.compare(names[a] as Buffer, names[b] as Buffer) || a - b,
  );
  let end = 0;
  for (const [i, { address, type }] of symbols.entries()) {
    if (i > 0 && address < (symbols[i - 1] as KernelSymbol).address) {
      throw new RangeError("symbols must be ascending by address");
    }
    const name = names[i] as Buffer;
    name.copy(table, at.names + end);
    end += name.length;
    LITTLE.setU64(table, at.addresses + 8 * i, address);
    LITTLE.setU32(table, at.nameEnds + 4 * i, end);
    LITTLE.setU32(table, at.byName + 4 * i, byName[i] as number);
    table[at.types + i] = type.charCodeAt(0);
  }
  return table;
}

/** Throws `SYMBOL_TABLE_CORRUPT`, here or when what is looked up lies in a broken place. */
export function openSymbolTable(data: Buffer): SymbolTable {
  if (data.length < HEADER || !data.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw corrupt("it does not start as one");
  }
  const size = LITTLE.u32(data, 8);
  const at = places(size);
  const expected = at.names + LITTLE.u32(data, 12);
  if (data.length !== expected) {
    throw corrupt(`it has ${data.length} bytes instead of ${expected}`);
  }

  const addressOf = (i: number) => LITTLE.u64(data, at.addresses + 8 * i);

  const nameStart = (i: number): number => at.names + (i === 0 ? 0 : LITTLE.u32(data, at.nameEnds + 4 * (i - 1)));

  const nameEnd = (i: number): number => {
    const end = at.names + LITTLE.u32(data, at.nameEnds + 4 * i);
    if (nameStart(i) > end || end > data.length) throw corrupt(`symbol ${i} has no name`);
    return end;
  };

  /** Below, at or above 0 as the symbol's name comes before, is, or comes after `name`. */
  const compareName = (i: number, name: Buffer): number => {
    const end = nameEnd(i);
    return data.compare(name, 0, name.length, nameStart(i), end);
  };

  const nthByName = (n: number): number => {
    const i = LITTLE.u32(data, at.byName + 4 * n);
    if (i >= size) throw corrupt(`entry ${n} by name is symbol ${i} of ${size}`);
    return i;
  };

  const symbolOf = (i: number): KernelSymbol => ({
    name: data.toString("latin1", nameStart(i), nameEnd(i)),
    type: typeOf(i),
    address: addressOf(i),
  });

  const typeOf = (i: number) => String.fromCharCode(data[at.types + i] as number);

  return {
    size,
    byName(name) {
      const wanted = Buffer.from(name, "latin1");
      const first = partition(size, (n) => compareName(nthByName(n), wanted) < 0);
      const found: number[] = [];
      for (let n = first; n < size; n++) {
        const i = nthByName(n);
        if (compareName(i, wanted) !== 0) break;
        found.push(i);
      }
      return found.map((i, k) => ({
        address: addressOf(i),
        type: typeOf(i),
        position: k + 1,
        count: found.length,
      }));
    },
    at(address) {
      const symbols: KernelSymbol[] = [];
      let i = partition(size, (n) => addressOf(n) < address);
      for (; i < size && addressOf(i) === address; i++) symbols.push(symbolOf(i));
      return symbols;
    },
    covering(address) {
      const after = partition(size, (n) => addressOf(n) <= address);
      if (after === 0) return undefined;
      const start = addressOf(after - 1);
      const first = partition(size, (n) => addressOf(n) < start);
      if (first >= after) throw corrupt("its addresses are not ascending");
      const symbol = symbolOf(first);
      return { symbol, next: after < size ? addressOf(after) : undefined };
    },
  };
}

function places(size: number) {
  const addresses = HEADER;
  const nameEnds = addresses + 8 * size;
  const byName = nameEnds + 4 * size;
  const types = byName + 4 * size;
  return { addresses, nameEnds, byName, types, names: HEADER + PER_SYMBOL * size };
}

/** The first of `size` indexes for which `before` no longer holds. */
function partition(size: number, before: (i: number) => boolean): number {
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (before(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function corrupt(what: string): SutureError {
  return new SutureError("SYMBOL_TABLE_CORRUPT", `broken symbol table: ${what}`, {
    hint: "remove the cached kernel and fetch it again",
  });
}
