/**
 * An ELF object as it lies in the memory of a process: what the file on disk
 * says now does not matter. What is read is not trusted; damage means that
 * there is no such object, or no such symbol.
 */
import { NT_GNU, PT } from "../../elf/constants.ts";
import { notesOf } from "../../elf/notes.ts";
import { HEADER_BYTES, type Segment, segmentsIn, segmentTable } from "../../elf/segments.ts";
import { SutureError } from "../../lib/error.ts";
import { native, PAGE } from "../os/native.ts";

/** Reads memory of the process; throws where it cannot be read as a whole. */
export type ReadMemory = (address: number, size: number) => Buffer;

/** An object whose header and program headers were read from memory and are consistent. */
export interface MappedElf {
  /** What is added to an address of the object's own to get that of the process. */
  readonly bias: number;
  /** Of all its segments, in the process. */
  readonly start: number;
  readonly end: number;
  /** Their addresses are in the object's own address space. */
  readonly segments: readonly Segment[];
  /** GNU build-id, hexadecimal. */
  readonly buildId: string | undefined;
}

const MAX_SEGMENTS = 256;
/** Of the program headers, which come right behind the header as linkers write them. */
const MAX_OFFSET = 1 << 20;
const MAX_NOTES = 1 << 16;

/** @param base where the start of the file is mapped @returns undefined for what is no ELF object of this machine */
export function readMappedElf(base: number, read: ReadMemory): MappedElf | undefined {
  const { words, load } = native();
  const header = tried(() => read(base, HEADER_BYTES));
  const table = header && segmentTable(header);
  if (table === undefined || table.words !== words || table.count === 0 || table.count > MAX_SEGMENTS) return undefined;
  if (table.offset > MAX_OFFSET) return undefined;
  const bytes = tried(() => read(base + table.offset, table.size));
  if (bytes === undefined) return undefined;
  const segments = segmentsIn(bytes, table);
  if (segments.some(({ address, memorySize }) => address > load.addressEnd || memorySize > load.addressEnd))
    return undefined;
  const loads = segments.filter(({ type }) => type === PT.LOAD);
  const first = loads.find(({ offset }) => offset < PAGE);
  if (first === undefined) return undefined;
  const bias = base - pageOf(first.address);
  return {
    bias,
    start: bias + Math.min(...loads.map(({ address }) => pageOf(address))),
    end: bias + Math.max(...loads.map(({ address, memorySize }) => Math.ceil((address + memorySize) / PAGE) * PAGE)),
    segments,
    buildId: buildIdIn(segments, bias, read),
  };
}

function pageOf(address: number): number {
  return address - (address % PAGE);
}

function buildIdIn(segments: readonly Segment[], bias: number, read: ReadMemory): string | undefined {
  for (const { type, address, memorySize, alignment } of segments) {
    if (type !== PT.NOTE || memorySize > MAX_NOTES) continue;
    const data = tried(() => read(bias + address, memorySize));
    const notes = data && tried(() => notesOf(data, native().words.endian, alignment, { file: "a note segment" }));
    const id = notes?.find((note) => note.owner === "GNU" && note.type === NT_GNU.BUILD_ID);
    if (id !== undefined) return id.description.toString("hex");
  }
  return undefined;
}

/** undefined where the memory cannot be read, or holds something else. */
export function tried<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch (error) {
    if (error instanceof SutureError || error instanceof RangeError) return undefined;
    if (typeof (error as NodeJS.ErrnoException).code === "string") return undefined;
    throw error;
  }
}
