/** Contents of the kernel as it is shipped, by the names of its symbols. */
import { readFileSync } from "node:fs";
import { PT } from "../elf/constants.ts";
import { readElf } from "../elf/read.ts";
import type { SymbolTable } from "../image/symbol-table.ts";

/** Undefined where the name is not one symbol's, or nothing of the file is there. */
export type RunningBytes = (name: string, offset: number, length: number) => Buffer | undefined;

/** @param vmlinux path, opened on first use */
export function runningBytesOf(vmlinux: string, symbols: SymbolTable): RunningBytes {
  let segments: { from: bigint; data: Buffer }[] | undefined;
  return (name, offset, length) => {
    const [symbol, ...more] = symbols.byName(name);
    if (symbol === undefined || more.length > 0) return undefined;
    segments ??= segmentsOf(vmlinux);
    const at = symbol.address + BigInt(offset);
    const segment = segments.find(({ from, data }) => at >= from && at + BigInt(length) <= from + BigInt(data.length));
    if (segment === undefined) return undefined;
    const start = Number(at - segment.from);
    return segment.data.subarray(start, start + length);
  };
}

function segmentsOf(vmlinux: string): { from: bigint; data: Buffer }[] {
  const { data, programHeaders } = readElf(readFileSync(vmlinux), vmlinux);
  return programHeaders
    .filter(({ type }) => type === PT.LOAD)
    .map(({ virtualAddress, offset, fileSize }) => ({
      from: virtualAddress,
      data: data.subarray(offset, offset + fileSize),
    }));
}
