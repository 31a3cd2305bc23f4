import { closeSync, openSync, readSync } from "node:fs";
import { isPcRelative, R_X86_64 } from "../../../arch/x86_64/relocations.ts";
import { readBtf } from "../../../btf/read.ts";
import type { Btf } from "../../../btf/types.ts";
import { SHF, SHT } from "../../../elf/constants.ts";
import { type NamedSymbol, openSymbolTable, type SymbolTable } from "../../../image/symbol-table.ts";
import { SutureError } from "../../../lib/error.ts";
import type { Shipped, ShippedSymbol, ShippedTarget } from "./shipped.ts";

interface Extent {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly fileOffset: number;
  readonly hasBytes: boolean;
  readonly isCode: boolean;
}

const ELF_HEADER = 64;
const SECTION_HEADER = 64;

/** The unpacked vmlinux, read piece by piece: a build needs few of its pages. */
export class ShippedVmlinux implements Shipped, Disposable {
  readonly object = "vmlinux";
  readonly buildId: string;
  readonly #symbols: SymbolTable;
  readonly #extents: readonly Extent[];
  readonly #fd: number;
  #sealed: Set<number> | undefined;
  #types: Btf | undefined;

  /** @param symbols the symbol table file that was made from the same vmlinux */
  constructor(path: string, symbols: Buffer, buildId: string) {
    this.buildId = buildId;
    this.#symbols = openSymbolTable(symbols);
    this.#fd = openSync(path, "r");
    this.#extents = readExtents(this.#fd, path);
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
    return from !== undefined && to !== undefined && at >= from && at < to;
  }

  /** Each entry is the distance from itself to the function. */
  #readSeals(): Set<number> {
    const sealed = new Set<number>();
    const extent = this.#extents.find(({ name }) => name === SEALS);
    const bytes = extent === undefined ? undefined : this.bytes(extent.from, extent.to - extent.from);
    if (extent === undefined || bytes === undefined) return sealed;
    for (let i = 0; i + 4 <= bytes.length; i += 4) sealed.add(extent.from + i + bytes.readInt32LE(i));
    return sealed;
  }

  target(at: number, type: number, adjust: number): ShippedTarget | undefined {
    const field = this.bytes(at, type === R_X86_64[64] || type === R_X86_64.PC64 ? 8 : 4);
    if (field === undefined) return undefined;
    const value =
      field.length === 8
        ? Number(field.readBigInt64LE())
        : type === R_X86_64[32]
          ? field.readUInt32LE()
          : field.readInt32LE();
    return { kind: "place", at: isPcRelative(type) ? at + adjust + value : value };
  }
}

const SEALS = ".ibt_endbr_seal";

function placeOf(address: bigint): number {
  return Number(BigInt.asIntN(64, address));
}

/** The sections that are in memory, from the section headers and their names alone. */
function readExtents(fd: number, path: string): Extent[] {
  const header = Buffer.alloc(ELF_HEADER);
  if (readSync(fd, header, 0, ELF_HEADER, 0) !== ELF_HEADER || header.readUInt32BE() !== 0x7f454c46)
    throw corrupt(path);
  const at = Number(header.readBigUInt64LE(0x28));
  const count = header.readUInt16LE(0x3c);
  const table = readAt(fd, at, count * SECTION_HEADER, path);
  const row = (i: number) => table.subarray(i * SECTION_HEADER, (i + 1) * SECTION_HEADER);
  const nameTable = header.readUInt16LE(0x3e);
  if (nameTable >= count) throw corrupt(path);
  const names = readAt(
    fd,
    Number(row(nameTable).readBigUInt64LE(24)),
    Number(row(nameTable).readBigUInt64LE(32)),
    path,
  );
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) {
    const flags = Number(row(i).readBigUInt64LE(8));
    const size = Number(row(i).readBigUInt64LE(32));
    if ((flags & SHF.ALLOC) === 0 || size === 0) continue;
    const from = Number(row(i).readBigInt64LE(16));
    const name = row(i).readUInt32LE(0);
    extents.push({
      name: names.toString("latin1", name, Math.max(name, names.indexOf(0, name))),
      from,
      to: from + size,
      fileOffset: Number(row(i).readBigUInt64LE(24)),
      hasBytes: row(i).readUInt32LE(4) !== SHT.NOBITS,
      isCode: (flags & SHF.EXECINSTR) !== 0,
    });
  }
  return extents;
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
