import { closeSync, openSync, readSync } from "node:fs";
import { isPcRelative, R_X86_64 } from "../../arch/x86_64/relocations.ts";
import { SHT } from "../../elf/constants.ts";
import { type NamedSymbol, openSymbolTable, type SymbolTable } from "../../image/symbol-table.ts";
import { SutureError } from "../../lib/error.ts";
import type { Shipped, ShippedSymbol, ShippedTarget } from "./shipped.ts";

interface Extent {
  readonly from: number;
  readonly to: number;
  readonly fileOffset: number;
  readonly hasBytes: boolean;
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

  places(name: string): readonly number[] {
    return this.#symbols.byName(name).map(({ address }) => placeOf(address));
  }

  symbolsAt(at: number): readonly ShippedSymbol[] {
    return this.#symbols.at(BigInt.asUintN(64, BigInt(at))).map((symbol) => this.#shipped(symbol.name, at));
  }

  #shipped(name: string, at: number): ShippedSymbol {
    const equal: readonly NamedSymbol[] = this.#symbols.byName(name);
    const own = equal.find(({ address }) => placeOf(address) === at);
    return { name, position: own?.position ?? 1, count: equal.length };
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

function placeOf(address: bigint): number {
  return Number(BigInt.asIntN(64, address));
}

/** The sections that are in memory, from the section headers alone. */
function readExtents(fd: number, path: string): Extent[] {
  const header = Buffer.alloc(ELF_HEADER);
  if (readSync(fd, header, 0, ELF_HEADER, 0) !== ELF_HEADER || header.readUInt32BE() !== 0x7f454c46)
    throw corrupt(path);
  const at = Number(header.readBigUInt64LE(0x28));
  const count = header.readUInt16LE(0x3c);
  const table = Buffer.alloc(count * SECTION_HEADER);
  if (!Number.isSafeInteger(at) || readSync(fd, table, 0, table.length, at) !== table.length) throw corrupt(path);
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) {
    const row = table.subarray(i * SECTION_HEADER, (i + 1) * SECTION_HEADER);
    const flags = Number(row.readBigUInt64LE(8));
    const size = Number(row.readBigUInt64LE(32));
    if ((flags & 2) === 0 || size === 0) continue;
    const from = Number(row.readBigInt64LE(16));
    extents.push({
      from,
      to: from + size,
      fileOffset: Number(row.readBigUInt64LE(24)),
      hasBytes: row.readUInt32LE(4) !== SHT.NOBITS,
    });
  }
  return extents;
}

function corrupt(path: string): SutureError {
  return new SutureError("VMLINUX_CORRUPT", "the kernel's vmlinux is no ELF file, or ends early", {
    where: path,
    hint: "remove the kernel from the cache and fetch it again",
  });
}
