/**
 * An ELF object as it lies in the memory of a process: what the file on disk
 * says now does not matter. What is read is not trusted; damage means that
 * there is no such object, or no such symbol.
 */
import { NT_GNU, PT } from "../../elf/constants.ts";
import { isElf } from "../../elf/identity.ts";
import { notesOf } from "../../elf/notes.ts";
import { SutureError } from "../../lib/error.ts";
import { native, PAGE } from "../os/native.ts";

/** Reads memory of the process; throws where it cannot be read as a whole. */
export type ReadMemory = (address: number, size: number) => Buffer;

/** A program header; sizes are bytes. */
export interface Segment {
  /** PT_* */
  readonly type: number;
  /** PF_* */
  readonly flags: number;
  /** In the object's own address space. */
  readonly address: number;
  readonly memorySize: number;
  readonly alignment: number;
}

/** An object whose header and program headers were read from memory and are consistent. */
export interface MappedElf {
  /** What is added to an address of the object's own to get that of the process. */
  readonly bias: number;
  /** Of all its segments, in the process. */
  readonly start: number;
  readonly end: number;
  readonly segments: readonly Segment[];
  /** GNU build-id, hexadecimal. */
  readonly buildId: string | undefined;
}

const HEADER_SIZE = 64;
/** ELFCLASS64. */
const CLASS_64 = 2;
const PROGRAM_HEADER_SIZE = 56;
const MAX_SEGMENTS = 256;
const MAX_NOTES = 1 << 16;

/** @param base where the start of the file is mapped @returns undefined for what is no ELF object of this machine */
export function readMappedElf(base: number, read: ReadMemory): MappedElf | undefined {
  const { words, load } = native();
  const order = words.endian === "little" ? 1 : 2;
  const header = tried(() => read(base, HEADER_SIZE));
  if (header === undefined || !isElf(header) || header[4] !== CLASS_64 || header[5] !== order) return undefined;
  const count = words.u16(header, 56);
  if (words.u16(header, 54) !== PROGRAM_HEADER_SIZE || count === 0 || count > MAX_SEGMENTS) return undefined;
  const at = words.size(header, 32);
  if (at > 1 << 20) return undefined;
  const table = tried(() => read(base + at, count * PROGRAM_HEADER_SIZE));
  if (table === undefined) return undefined;
  const segments: Segment[] = [];
  let first: number | undefined;
  for (let index = 0; index < count; index++) {
    const from = index * PROGRAM_HEADER_SIZE;
    const address = words.size(table, from + 16);
    const memorySize = words.size(table, from + 40);
    if (address > load.addressEnd || memorySize > load.addressEnd) return undefined;
    const type = words.u32(table, from);
    const alignment = words.size(table, from + 48);
    segments.push({ type, flags: words.u32(table, from + 4), address, memorySize, alignment });
    if (type === PT.LOAD && words.size(table, from + 8) < PAGE) first ??= pageOf(address);
  }
  const loads = segments.filter(({ type }) => type === PT.LOAD);
  if (first === undefined || loads.length === 0) return undefined;
  const bias = base - first;
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
