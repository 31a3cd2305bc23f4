/**
 * The kernel's own symbol table, from the tables that its build puts into
 * .rodata (scripts/kallsyms.c of the kernel's source). A stock vmlinux has no
 * symbols that say where they are: they are found by their structure, which
 * is the same in all layouts, before and since 6.4, and since 7.0:
 *
 *   offsets, relative_base, num_syms, names, markers, [seqs,] token_table, token_index
 *   num_syms, names, markers, token_table, token_index, offsets, relative_base, [seqs]
 *   num_syms, names, markers, token_table, token_index, offsets, seqs
 *
 * Each table starts at a multiple of 8; since 7.0 of 4.
 */

import type { ElfFile } from "../elf/model.ts";
import { wordsOf } from "../elf/words.ts";
import { SutureError } from "../lib/error.ts";
import { readAddresses } from "./kallsyms-addresses.ts";
import { findTokens, type Tokens } from "./kallsyms-tokens.ts";
import { aligned, type Rodata } from "./rodata.ts";

/** One symbol of the kernel's, functions and variables alike. */
export interface KernelSymbol {
  readonly name: string;
  /** One letter as in nm: T and t for text, D and d for data, A for absolute, and so on. */
  readonly type: string;
  /** The link address, as /proc/kallsyms shows it under nokaslr. */
  readonly address: bigint;
}

/** Symbols between two markers. */
const PER_MARKER = 256;
const MAX_SYMBOLS = 1 << 22;
/** Names looked at while searching; a real image takes less than a tenth of it. */
const MAX_STEPS = 1 << 26;

/**
 * The symbols of a vmlinux, in kallsyms order: the order of /proc/kallsyms,
 * and the one in which `sympos` counts equal names.
 *
 * Throws `KALLSYMS_NOT_FOUND` where the tables are not there or contradict
 * each other.
 */
export function readKallsyms(vmlinux: ElfFile): KernelSymbol[] {
  const section = vmlinux.sections.find(({ name }) => name === ".rodata");
  if (section === undefined) throw notFound(vmlinux, "there is no section .rodata");
  const tables = { data: section.data, words: wordsOf(vmlinux.header.endian), address: section.address };
  let found = 0;
  for (const alignment of ALIGNMENTS) {
    const read = readTables({ ...tables, alignment });
    if (typeof read !== "number") return checked(read, section.address, vmlinux);
    found = Math.max(found, read);
  }
  throw notFound(vmlinux, MISSING[found] as string);
}

/** The symbols, or how many of their tables are there: `MISSING` says which is not. */
function readTables(rodata: Rodata): KernelSymbol[] | number {
  let found = 0;
  for (const tokens of findTokens(rodata)) {
    const names = findNames(rodata, tokens.start);
    const addresses = names && readAddresses(rodata, names, tokens);
    if (names !== undefined && addresses !== undefined) return decode(rodata, names, tokens, addresses);
    found = Math.max(found, names === undefined ? 1 : 2);
  }
  return found;
}

const MISSING = ["there is no token table", "no names and markers agree", "no sorted table of addresses"];
/** Before 7.0, and since. */
const ALIGNMENTS = [8, 4];

/** The linker's name for where .rodata starts: addresses that were read in another way than they are meant do not lead there. */
const START = "__start_rodata";

function checked(symbols: KernelSymbol[], rodata: bigint, vmlinux: ElfFile): KernelSymbol[] {
  const start = symbols.find(({ name }) => name === START);
  if (start === undefined || start.address === rodata) return symbols;
  throw notFound(vmlinux, `${START} is 0x${start.address.toString(16)} by its table, and 0x${rodata.toString(16)}`);
}

/** The compressed names: from `start` on, `count` times a length and so many tokens. */
interface Names {
  readonly count: number;
  readonly start: number;
}

/** num_syms, followed by that many names, followed by markers that agree with them. */
function findNames(rodata: Rodata, limit: number): Names | undefined {
  const { data, words, alignment } = rodata;
  const markers = new Uint32Array(MAX_SYMBOLS / PER_MARKER);
  let steps = 0;
  for (let at = 0; at + alignment <= limit; at += alignment) {
    const count = words.u32(data, at);
    // With a single marker, nothing would prove that these are names.
    if (count <= PER_MARKER || count > MAX_SYMBOLS) continue;
    if (alignment > 4 && words.u32(data, at + 4) !== 0) continue;
    const start = at + alignment;
    let position = start;
    let i = 0;
    for (; i < count && position < limit; i++) {
      if (i % PER_MARKER === 0) markers[i / PER_MARKER] = position - start;
      const length = data[position] as number;
      if (length === 0) break;
      // Lengths above 127 take two bytes (ULEB128).
      position += length < 0x80 ? 1 + length : 2 + (length & 0x7f) + ((data[position + 1] as number) << 7);
    }
    steps += i;
    if (i === count && markersAt(rodata, aligned(position, rodata), markers, Math.ceil(count / PER_MARKER))) {
      return { count, start };
    }
    if (steps > MAX_STEPS) return undefined;
  }
  return undefined;
}

function markersAt(rodata: Rodata, at: number, markers: Uint32Array, count: number): boolean {
  const { data, words } = rodata;
  if (at + 4 * count > data.length) return false;
  for (let i = 0; i < count; i++) {
    const marker = words.u32(data, at + 4 * i);
    if (marker !== markers[i]) return false;
  }
  return true;
}

function decode(
  { data }: Rodata,
  { count, start }: Names,
  { texts }: Tokens,
  addresses: BigUint64Array,
): KernelSymbol[] {
  const symbols: KernelSymbol[] = [];
  let position = start;
  for (let i = 0; i < count; i++) {
    let length = data[position++] as number;
    if (length >= 0x80) length = (length & 0x7f) | ((data[position++] as number) << 7);
    let text = "";
    for (const end = position + length; position < end; position++) {
      text += texts[data[position] as number];
    }
    symbols.push({ name: text.slice(1), type: text.slice(0, 1), address: addresses[i] as bigint });
  }
  return symbols;
}

function notFound(vmlinux: ElfFile, what: string): SutureError {
  return new SutureError("KALLSYMS_NOT_FOUND", `no kernel symbol table: ${what}`, {
    where: vmlinux.name,
    hint: "the kernel must be built with CONFIG_KALLSYMS and CONFIG_KALLSYMS_ALL",
  });
}
