/** Where the kernel's symbols are: one 32-bit offset or 64-bit address each. */
import type { Tokens } from "./kallsyms-tokens.ts";
import { aligned, type Rodata } from "./rodata.ts";

/**
 * The addresses of `count` symbols, or undefined where no layout has a
 * table of them that is sorted: kallsyms is in the order of addresses.
 */
export function readAddresses(
  rodata: Rodata,
  names: { readonly count: number; readonly start: number },
  tokens: Tokens,
): BigUint64Array | undefined {
  const { count } = names;
  const size = aligned(4 * count, rodata);
  const after = aligned(tokens.end, rodata);
  const numSyms = names.start - rodata.alignment;
  return (
    // Since 6.4: offsets, then relative_base, after token_index.
    relative(rodata, after, after + size, count) ??
    // Before: offsets, then relative_base, before num_syms.
    relative(rodata, numSyms - 8 - size, numSyms - 8, count) ??
    // Before 6.4 without CONFIG_KALLSYMS_BASE_RELATIVE.
    absolute(rodata, numSyms - 8 * count, count) ??
    // Since 7.0: offsets after token_index, and no base.
    fromTheirPlaces(rodata, after, count)
  );
}

function relative(
  { data, words, address }: Rodata,
  offsetsAt: number,
  baseAt: number,
  count: number,
): BigUint64Array | undefined {
  if (offsetsAt < 0 || baseAt + 8 > data.length) return undefined;
  const base = words.u64(data, baseAt);
  // The base is the lowest relocatable symbol: the kernel's text comes before
  // its .rodata, and all of it lies within 2 GiB.
  if (base > address || address - base > 0x7fff_ffffn) return undefined;
  const offsets = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    offsets[i] = words.i32(data, offsetsAt + 4 * i);
  }
  // CONFIG_KALLSYMS_ABSOLUTE_PERCPU keeps absolute symbols as they are, and
  // the others as -1 - (address - base): the highest symbol tells which it is.
  const percpu = (offsets[count - 1] as number) < 0;
  const addresses = new BigUint64Array(count);
  for (let i = 0; i < count; i++) {
    const offset = offsets[i] as number;
    addresses[i] = !percpu ? base + BigInt(offset >>> 0) : offset >= 0 ? BigInt(offset) : base + BigInt(-1 - offset);
  }
  return sorted(addresses) ? addresses : undefined;
}

/** Each offset counts from where it lies itself. */
function fromTheirPlaces({ data, words, address }: Rodata, at: number, count: number): BigUint64Array | undefined {
  if (at + 4 * count > data.length) return undefined;
  const addresses = new BigUint64Array(count);
  for (let i = 0; i < count; i++) {
    const place = at + 4 * i;
    addresses[i] = address + BigInt(place + words.i32(data, place));
  }
  return sorted(addresses) ? addresses : undefined;
}

function absolute({ data, words }: Rodata, at: number, count: number): BigUint64Array | undefined {
  if (at < 0) return undefined;
  const addresses = new BigUint64Array(count);
  for (let i = 0; i < count; i++) {
    addresses[i] = words.u64(data, at + 8 * i);
  }
  return sorted(addresses) ? addresses : undefined;
}

function sorted(addresses: BigUint64Array): boolean {
  for (let i = 1; i < addresses.length; i++) {
    if ((addresses[i] as bigint) < (addresses[i - 1] as bigint)) return false;
  }
  return true;
}
