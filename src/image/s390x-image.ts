/**
 * s390x's bzImage: a decompressor, and behind it the kernel as it lies in memory from
 * 0x100000 on, with no headers; most of its addresses are in place, and those that go by a
 * symbol are filled in by the decompressor. Source: the kernel's arch/s390/boot (head.S, the
 * mark at 0x10008; startup.c, handle_relocs; boot.h, struct vmlinux_info).
 */
import { EM, ET, RECORD, SHF } from "../elf/constants.ts";
import { addSection, newRelocatable } from "../elf/draft.ts";
import type { Address } from "../elf/model.ts";
import { BIG, LITTLE } from "../elf/words.ts";
import { writeElf } from "../elf/write.ts";
import { corrupt, type Payload, unpacked } from "./payload.ts";

const MARK = Buffer.from("S390EP", "latin1");
const MARK_AT = 0x10008;
/** The decompressor holds the first bytes as well, with text behind them: the stream's own flags begin with a zero. */
const STREAM = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00]);
const STREAM_END = Buffer.from("YZ", "latin1");
const LOADED_AT = 0x100000;

/** struct vmlinux_info in the decompressor, words of 64 bits. */
const INFO = { symbols: 8, relocations: 9, relocationsEnd: 10, words: 12 } as const;
const WORD = 8;
/** Source: ELF Application Binary Interface s390x Supplement. */
const R_390 = { GLOB_DAT: 10, RELATIVE: 12, 64: 22 } as const;

/** By the mark at 0x10008, which every image of s390x has. */
export function isS390xImage(data: Buffer): boolean {
  return data.subarray(MARK_AT, MARK_AT + MARK.length).equals(MARK);
}

/**
 * As an ELF file with one section, all of the kernel; its name is the one under which the
 * kernel's symbol table is looked for. Throws `KERNEL_IMAGE_CORRUPT`, `PROGRAM_MISSING`.
 */
export async function vmlinuxOfS390x(data: Buffer, name: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const payload = payloadOf(data, name);
  const kernel = await unpacked(payload, signal);
  fillIn(kernel, data.subarray(0, data.length - payload.bytes.length), name);
  const draft = newRelocatable(EM.S390, "big", name);
  draft.header.type = ET.EXEC;
  addSection(draft, {
    name: ".rodata",
    flags: SHF.ALLOC | SHF.EXECINSTR,
    address: BigInt(LOADED_AT) as Address,
    alignment: 8,
    data: kernel,
    size: kernel.length,
    offset: 64,
  });
  return writeElf(draft);
}

/** From the start of the compressed stream to the size behind it. */
function payloadOf(data: Buffer, name: string): Payload {
  const start = data.indexOf(STREAM);
  if (start < 0) throw corrupt("it has no kernel that is compressed by xz", name);
  const flags = data.subarray(start + 6, start + 8);
  for (let end = data.lastIndexOf(STREAM_END); end > start; end = data.lastIndexOf(STREAM_END, end - 1)) {
    if (!data.subarray(end - 2, end).equals(flags) || LITTLE.u32(data, end + 2) === 0) continue;
    return { bytes: data.subarray(start, end + 6), where: `${name}, payload at 0x${start.toString(16)}` };
  }
  throw corrupt("its payload has no end", name);
}

/** Writes the addresses into the kernel that the decompressor would. */
function fillIn(kernel: Buffer, decompressor: Buffer, name: string): void {
  const info = infoIn(decompressor, kernel.length);
  if (info === undefined) throw corrupt("its decompressor does not say where the kernel's relocations are", name);
  for (let at = info.relocations; at < info.relocationsEnd; at += RECORD.RELA) {
    const offset = BIG.size(kernel, at) - LOADED_AT;
    const type = BIG.u32(kernel, at + 12);
    const symbol = info.symbols + RECORD.SYMBOL * BIG.u32(kernel, at + 8);
    const isByName = type === R_390[64] || type === R_390.GLOB_DAT;
    const isWhole = offset >= 0 && offset + WORD <= kernel.length && symbol + RECORD.SYMBOL <= kernel.length;
    if (!isWhole || !(isByName || type === R_390.RELATIVE))
      throw corrupt(`its kernel has a relocation that is not understood at 0x${at.toString(16)}`, name);
    const value = isByName ? BIG.u64(kernel, symbol + WORD) : 0n;
    BIG.setU64(kernel, offset, BigInt.asUintN(64, value + BIG.i64(kernel, at + 16)));
  }
}

/** Offsets in the kernel. */
function infoIn(decompressor: Buffer, size: number) {
  for (let at = 0; at + INFO.words * WORD <= decompressor.length; at += WORD) {
    if (BIG.size(decompressor, at) !== LOADED_AT) continue;
    const word = (index: number) => BIG.size(decompressor, at + index * WORD) - LOADED_AT;
    const symbols = word(INFO.symbols);
    const relocations = word(INFO.relocations);
    const relocationsEnd = word(INFO.relocationsEnd);
    const isOrdered = 0 < symbols && symbols < relocations && relocations < relocationsEnd && relocationsEnd <= size;
    if (isOrdered && (relocationsEnd - relocations) % RECORD.RELA === 0)
      return { symbols, relocations, relocationsEnd };
  }
  return undefined;
}
