import { bigU64, u64, viewOf } from "./bytes.ts";
import { RECORD, SHT } from "./constants.ts";
import { corrupt } from "./fault.ts";
import { type HeaderAndTables, readHeader } from "./header.ts";
import type { Address, ElfFile, ElfSymbol, ProgramHeader } from "./model.ts";
import { readSections } from "./sections.ts";
import { onlySection, readSymbols } from "./symbols.ts";

/**
 * Reads ELF64 of either byte order and any machine. Contents are views of
 * `data`, which must not change while the file is in use; `name` is for messages.
 *
 * The input is never trusted: throws SutureError with ELF_TRUNCATED,
 * ELF_CORRUPT or ELF_UNSUPPORTED, in time and memory in proportion to its size.
 */
export function readElf(data: Buffer, name: string): ElfFile {
  const tables = readHeader(data, name);
  const little = tables.header.endian === "little";
  const view = viewOf(data);
  const sections = readSections(data, view, tables, name);
  const symbolsOf = (type: number): ElfSymbol[] => {
    const table = onlySection(sections, type, name);
    return table === undefined ? [] : readSymbols(sections, table, little, name);
  };
  return {
    name,
    data,
    header: tables.header,
    programHeaders: readProgramHeaders(view, tables, little, name),
    sections,
    symbols: symbolsOf(SHT.SYMTAB),
    dynamicSymbols: symbolsOf(SHT.DYNSYM),
  };
}

function readProgramHeaders(
  view: DataView,
  { programHeaders: table }: HeaderAndTables,
  little: boolean,
  file: string,
): ProgramHeader[] {
  const headers: ProgramHeader[] = [];
  for (let index = 0; index < table.count; index++) {
    const at = table.offset + index * RECORD.PROGRAM_HEADER;
    const offset = u64(view, at + 8, little);
    const fileSize = u64(view, at + 32, little);
    if (!(offset + fileSize <= Number.MAX_SAFE_INTEGER)) {
      throw corrupt({ file, offset: at }, `program header ${index} has an offset or size above 2^53`);
    }
    headers.push({
      type: view.getUint32(at, little),
      flags: view.getUint32(at + 4, little),
      offset,
      virtualAddress: bigU64(view, at + 16, little) as Address,
      physicalAddress: bigU64(view, at + 24, little) as Address,
      fileSize,
      memorySize: bigU64(view, at + 40, little),
      alignment: bigU64(view, at + 48, little),
    });
  }
  return headers;
}
