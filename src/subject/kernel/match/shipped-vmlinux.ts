import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Arch } from "../../../arch/arch.ts";
import { archOf } from "../../../arch/registry.ts";
import type { RewrittenTable } from "../../../arch/rewritten-table.ts";
import { readBtf } from "../../../btf/read.ts";
import type { Btf } from "../../../btf/types.ts";
import { RECORD, SHF, SHT } from "../../../elf/constants.ts";
import { identityOf } from "../../../elf/identity.ts";
import { MovedFields } from "../../../image/moved-fields.ts";
import { type NamedSymbol, openSymbolTable, type SymbolTable } from "../../../image/symbol-table.ts";
import { SutureError } from "../../../lib/error.ts";
import type { CodeField } from "../../../patch/metadata.ts";
import type { RunningObject, Span } from "./running-code.ts";
import type { Shipped, ShippedSymbol, ShippedTarget } from "./shipped.ts";

const PER_CPU = ".data..percpu";

interface Extent {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly fileOffset: number;
  readonly hasBytes: boolean;
  readonly isCode: boolean;
}

/** The unpacked vmlinux, read piece by piece: a build needs few of its pages. */
export class ShippedVmlinux implements Shipped, RunningObject, Disposable {
  readonly arch: Arch;
  readonly object = "vmlinux";
  readonly buildId: string;
  readonly #symbols: SymbolTable;
  readonly #extents: readonly Extent[];
  readonly #fd: number;
  /** Where the ELF file ends. */
  readonly #end: number;
  #sealed: Set<number> | undefined;
  #types: Btf | undefined;
  #moved: MovedFields | "unknown" | undefined;

  /** @param symbols the symbol table file that was made from the same vmlinux */
  constructor(path: string, symbols: Buffer, buildId: string) {
    this.buildId = buildId;
    this.#symbols = openSymbolTable(symbols);
    this.#fd = openSync(path, "r");
    const { arch, extents, end } = readExtents(this.#fd, path);
    this.arch = arch;
    this.#end = end;
    this.#extents = extents;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  bytes(at: number, length: number): Buffer | undefined {
    const extent = this.#extents.find((it) => at >= it.from && at + length <= it.to);
    if (extent === undefined || !extent.hasBytes) return undefined;
    const bytes = Buffer.allocUnsafe(length);
    const count = readSync(this.#fd, bytes, 0, length, extent.fileOffset + at - extent.from);
    return count === length ? bytes : undefined;
  }

  types(): Btf | undefined {
    if (this.#types !== undefined) return this.#types;
    const extent = this.#extents.find(({ name }) => name === ".BTF");
    const bytes = extent === undefined ? undefined : this.bytes(extent.from, extent.to - extent.from);
    this.#types = bytes === undefined ? undefined : readBtf(bytes, "vmlinux: .BTF");
    return this.#types;
  }

  /** All code, section by section. */
  code(): { readonly base: number; readonly bytes: Buffer }[] {
    return this.#extents.flatMap(({ isCode, from, to }) => {
      const bytes = isCode ? this.bytes(from, to - from) : undefined;
      return bytes === undefined ? [] : [{ base: from, bytes }];
    });
  }

  /** The function that a place is in. */
  functionAt(at: number): { readonly name: string; readonly at: number } | undefined {
    const covering = this.#symbols.covering(BigInt.asUintN(64, BigInt(at)));
    return covering && { name: covering.symbol.name, at: placeOf(covering.symbol.address) };
  }

  /** Bytes from a symbol's start to the next one's. */
  extentOf(at: number): number {
    const next = this.#symbols.covering(BigInt.asUintN(64, BigInt(at)))?.next;
    return next === undefined ? 0 : placeOf(next) - at;
  }

  get start(): number | undefined {
    return this.places(START)[0];
  }

  *entriesOf(
    table: RewrittenTable,
    size: number,
    span: Span,
  ): Generator<{ readonly at: number; readonly entry: Buffer }> {
    const { words } = this.arch.elf;
    for (const [from, to] of this.#tables(table)) {
      const bytes = this.bytes(from, to - from);
      if (bytes === undefined) continue;
      for (let i = 0; i + size <= bytes.length; i += size) {
        const at = table.place === "relative" ? from + i + words.i32(bytes, i) : words.offset(bytes, i);
        if (at >= span.from && at < span.to) yield { at, entry: bytes.subarray(i, i + size) };
      }
    }
  }

  #tables({ section, isPrefix, bounds }: RewrittenTable): (readonly [from: number, to: number])[] {
    const found = this.#extents.filter(({ name }) => (isPrefix === true ? name.startsWith(section) : name === section));
    if (found.length > 0) return found.map(({ from, to }) => [from, to]);
    const [from, to] = (bounds ?? []).map((name) => this.places(name)[0]);
    return from === undefined || to === undefined ? [] : [[from, to]];
  }

  fieldsIn(from: number, to: number): CodeField[] | undefined {
    this.#moved ??= MovedFields.read(this.#tail(), this.arch.elf.words) ?? "unknown";
    return this.#moved === "unknown" ? undefined : this.#moved.within(from, to);
  }

  /** What lies behind the ELF file. */
  #tail(): Buffer {
    const tail = Buffer.alloc(Math.max(0, Math.min(fstatSync(this.#fd).size - this.#end, MOST_HEADERS)));
    return readSync(this.#fd, tail, 0, tail.length, this.#end) === tail.length ? tail : Buffer.alloc(0);
  }

  places(name: string): readonly number[] {
    return this.#symbols.byName(name).map(({ address }) => placeOf(address));
  }

  /** By the letters of nm, as kallsyms has them. */
  hasGlobal(name: string): boolean {
    return this.#symbols.byName(name).some(({ type }) => /[A-Zvw]/.test(type));
  }

  symbolsAt(at: number): readonly ShippedSymbol[] {
    return this.#symbols.at(BigInt.asUintN(64, BigInt(at))).map((symbol) => this.#shipped(symbol.name, at));
  }

  #shipped(name: string, at: number): ShippedSymbol {
    const equal: readonly NamedSymbol[] = this.#symbols.byName(name);
    const own = equal.find(({ address }) => placeOf(address) === at);
    return { name, position: own?.position ?? 1, count: equal.length };
  }

  isSealed(at: number): boolean {
    this.#sealed ??= this.#readSeals();
    return this.#sealed.has(at);
  }

  isFreed(at: number): boolean {
    const [from] = this.places("__init_begin");
    const [to] = this.places("__init_end");
    if (from === undefined || to === undefined || at < from || at >= to) return false;
    // Since 6.15 what each processor has a copy of is linked there too: nobody uses what lies there by itself.
    return !this.#extents.some((it) => it.name === PER_CPU && at >= it.from && at < it.to);
  }

  /** Each entry is the distance from itself to the function. */
  #readSeals(): Set<number> {
    const { words } = this.arch.elf;
    const sealed = new Set<number>();
    const extent = this.#extents.find(({ name }) => name === SEALS);
    const bytes = extent === undefined ? undefined : this.bytes(extent.from, extent.to - extent.from);
    if (extent === undefined || bytes === undefined) return sealed;
    for (let i = 0; i + 4 <= bytes.length; i += 4) sealed.add(extent.from + i + words.i32(bytes, i));
    return sealed;
  }

  target(at: number, type: number, adjust: number): ShippedTarget | undefined {
    const { isPcRelative, isBySlot, relocationSize, fieldValue } = this.arch.elf;
    const field = this.bytes(at, relocationSize(type) ?? 0);
    if (field === undefined) return undefined;
    const value = fieldValue(type, field);
    const place = isPcRelative(type) ? at + adjust + value : value;
    return isBySlot(type) ? this.#inSlot(place) : { kind: "place", at: place };
  }

  /** What a slot of the image's own table holds. */
  #inSlot(at: number): ShippedTarget | undefined {
    const slot = this.bytes(at, WORD);
    return slot && { kind: "place", at: this.arch.elf.words.offset(slot, 0) };
  }
}

const WORD = 8;
/** Where the kernel begins. */
const START = "_text";
const SEALS = ".ibt_endbr_seal";

function placeOf(address: bigint): number {
  return Number(BigInt.asIntN(64, address));
}

/** The machine, and the sections that are in memory, from the section headers and their names alone. */
function readExtents(
  fd: number,
  path: string,
): {
  readonly arch: Arch;
  readonly extents: readonly Extent[];
  readonly end: number;
} {
  const start = Buffer.alloc(RECORD.HEADER);
  if (readSync(fd, start, 0, RECORD.HEADER, 0) !== RECORD.HEADER) throw corrupt(path);
  const header = identityOf(start);
  if (header === undefined) throw corrupt(path);
  const arch = archOf({ header, name: path });
  const { words } = arch.elf;
  const count = words.u16(start, 0x3c);
  const table = readAt(fd, words.size(start, 0x28), count * RECORD.SECTION_HEADER, path);
  const rows = Array.from({ length: count }, (_, i) => table.subarray(i * RECORD.SECTION_HEADER));
  const nameTable = rows[words.u16(start, 0x3e)];
  if (nameTable === undefined) throw corrupt(path);
  const names = readAt(fd, words.size(nameTable, 24), words.size(nameTable, 32), path);
  const extents = rows.flatMap((row): Extent[] => {
    const flags = words.size(row, 8);
    const size = words.size(row, 32);
    if ((flags & SHF.ALLOC) === 0 || size === 0) return [];
    const from = words.offset(row, 16);
    const name = words.u32(row, 0);
    return [
      {
        name: names.toString("latin1", name, Math.max(name, names.indexOf(0, name))),
        from,
        to: from + size,
        fileOffset: words.size(row, 24),
        hasBytes: words.u32(row, 4) !== SHT.NOBITS,
        isCode: (flags & SHF.EXECINSTR) !== 0,
      },
    ];
  });
  return { arch, extents, end: endOf(start, rows, arch) };
}

/** The table of sections lies behind all that they hold, or is followed by some of it. */
function endOf(start: Buffer, rows: readonly Buffer[], { elf: { words } }: Arch): number {
  const table = words.size(start, 0x28) + rows.length * RECORD.SECTION_HEADER;
  const ends = rows.map((row) => (words.u32(row, 4) === SHT.NOBITS ? 0 : words.size(row, 24) + words.size(row, 32)));
  return Math.max(table, ...ends);
}

const MOST_HEADERS = 16 << 20;

function readAt(fd: number, at: number, size: number, path: string): Buffer {
  if (!Number.isSafeInteger(at) || size > MOST_HEADERS) throw corrupt(path);
  const bytes = Buffer.alloc(size);
  if (readSync(fd, bytes, 0, size, at) !== size) throw corrupt(path);
  return bytes;
}

function corrupt(path: string): SutureError {
  return new SutureError("VMLINUX_CORRUPT", "the kernel's vmlinux is no ELF file, or ends early", {
    where: path,
    hint: "remove the kernel from the cache and fetch it again",
  });
}
