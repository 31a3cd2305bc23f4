import { bigU64, u64, viewOf } from "./bytes.ts";
import { PN_XNUM, RECORD, SHN } from "./constants.ts";
import { corrupt, truncated, unsupported } from "./fault.ts";
import type { Address, ElfHeader } from "./model.ts";
import { BIG } from "./words.ts";

/** The ELF header, and where the tables are that it leads to (extended counts resolved). */
export interface HeaderAndTables {
  readonly header: ElfHeader;
  readonly programHeaders: { readonly offset: number; readonly count: number };
  /** `names` is the index of the section that holds the section names, 0 for none. */
  readonly sections: { readonly offset: number; readonly count: number; readonly names: number };
}

const MAGIC = 0x7f454c46;

/** Throws ELF_TRUNCATED, ELF_CORRUPT, or ELF_UNSUPPORTED for anything but version 1 of ELF64. */
export function readHeader(data: Buffer, name: string): HeaderAndTables {
  const file = { file: name };
  if (data.length < 4 || BIG.u32(data, 0) !== MAGIC) {
    throw unsupported(file, "not an ELF file", "give an object, a module, an executable or a shared library");
  }
  if (data.length < RECORD.HEADER) throw truncated(file, "the file ends inside the ELF header");
  if (data[4] !== 2) throw unsupported({ ...file, offset: 4 }, "not a 64-bit ELF file", "only ELF64 is read");
  const order = data[5];
  if (order !== 1 && order !== 2) throw corrupt({ ...file, offset: 5 }, "neither little nor big endian");
  const little = order === 1;
  const view = viewOf(data);
  if (data[6] !== 1 || view.getUint32(20, little) !== 1) {
    throw unsupported({ ...file, offset: 20 }, "unknown ELF version", "only version 1 exists");
  }
  if (view.getUint16(52, little) !== RECORD.HEADER) {
    throw corrupt({ ...file, offset: 52 }, "the ELF header's size is not 64");
  }
  const sectionOffset = u64(view, 40, little);
  let sectionCount = view.getUint16(60, little);
  let names = view.getUint16(62, little);
  let programCount = view.getUint16(56, little);
  if (sectionOffset === 0) {
    if (sectionCount !== 0) throw corrupt({ ...file, offset: 60 }, "sections are counted, but have no headers");
    if (names !== SHN.UNDEF) throw corrupt({ ...file, offset: 62 }, "section names without sections");
    if (programCount === PN_XNUM) throw corrupt({ ...file, offset: 56 }, "the program header count is nowhere");
  } else {
    if (view.getUint16(58, little) !== RECORD.SECTION_HEADER) {
      throw corrupt({ ...file, offset: 58 }, "the size of a section header is not 64");
    }
    if (sectionOffset + RECORD.SECTION_HEADER > data.length) {
      throw truncated({ ...file, offset: 40 }, "the section headers lie beyond the end of the file");
    }
    if (sectionCount === 0) sectionCount = u64(view, sectionOffset + 32, little);
    if (names === SHN.XINDEX) names = view.getUint32(sectionOffset + 40, little);
    if (programCount === PN_XNUM) programCount = view.getUint32(sectionOffset + 44, little);
    if (sectionOffset + sectionCount * RECORD.SECTION_HEADER > data.length) {
      throw truncated({ ...file, offset: 40 }, `the headers of ${sectionCount} sections do not fit in the file`);
    }
    if (names >= sectionCount && names !== 0) {
      throw corrupt({ ...file, offset: 62 }, `section names in section ${names} of ${sectionCount}`);
    }
  }
  const programOffset = u64(view, 32, little);
  if (programCount > 0) {
    if (view.getUint16(54, little) !== RECORD.PROGRAM_HEADER) {
      throw corrupt({ ...file, offset: 54 }, "the size of a program header is not 56");
    }
    if (programOffset + programCount * RECORD.PROGRAM_HEADER > data.length) {
      throw truncated({ ...file, offset: 32 }, `${programCount} program headers do not fit in the file`);
    }
  }
  return {
    header: {
      endian: little ? "little" : "big",
      osAbi: view.getUint8(7),
      abiVersion: view.getUint8(8),
      type: view.getUint16(16, little),
      machine: view.getUint16(18, little),
      entry: bigU64(view, 24, little) as Address,
      flags: view.getUint32(48, little),
    },
    programHeaders: { offset: programOffset, count: programCount },
    sections: { offset: sectionOffset, count: sectionCount, names },
  };
}
