/** Contents of what runs as it is shipped, by the names of its symbols. */
import { readFileSync } from "node:fs";
import { PT } from "../elf/constants.ts";
import type { ElfFile } from "../elf/model.ts";
import { readElf } from "../elf/read.ts";
import type { SymbolTable } from "../image/symbol-table.ts";
import type { RunningSymbol } from "./names.ts";

/** Undefined where the name is not one symbol's, or nothing of the file is there. */
export type RunningBytes = (symbol: RunningSymbol, offset: number, length: number) => Buffer | undefined;

type Segment = { readonly from: bigint; readonly data: Buffer };

/** Of the kernel. @param vmlinux path, opened on first use */
export function runningBytesOf(vmlinux: string, symbols: SymbolTable): RunningBytes {
  let segments: Segment[] | undefined;
  return ({ name }, offset, length) => {
    const [symbol, ...more] = symbols.byName(name);
    if (symbol === undefined || more.length > 0) return undefined;
    segments ??= segmentsOf(readElf(readFileSync(vmlinux), vmlinux));
    return bytesIn(segments, symbol.address + BigInt(offset), length);
  };
}

/** What the linker calls the place of the ELF header, from which a program's livepatch counts what has no name. */
const HEADER = "__ehdr_start";

/** Of a program and its libraries, by their headers' places alone. */
export function programBytesOf(shipped: readonly { readonly object: string; readonly file: ElfFile }[]): RunningBytes {
  return ({ object, name }, offset, length) => {
    const file = shipped.find((each) => each.object === object)?.file;
    const header = file?.programHeaders.find(({ type, offset: at }) => type === PT.LOAD && at === 0);
    if (name !== HEADER || file === undefined || header === undefined) return undefined;
    return bytesIn(segmentsOf(file), header.virtualAddress + BigInt(offset), length);
  };
}

function bytesIn(segments: readonly Segment[], at: bigint, length: number): Buffer | undefined {
  const segment = segments.find(({ from, data }) => at >= from && at + BigInt(length) <= from + BigInt(data.length));
  if (segment === undefined) return undefined;
  const start = Number(at - segment.from);
  return segment.data.subarray(start, start + length);
}

function segmentsOf({ data, programHeaders }: ElfFile): Segment[] {
  return programHeaders
    .filter(({ type }) => type === PT.LOAD)
    .map(({ virtualAddress, offset, fileSize }) => ({
      from: virtualAddress,
      data: data.subarray(offset, offset + fileSize),
    }));
}
