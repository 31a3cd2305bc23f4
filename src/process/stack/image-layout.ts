import { NT_GNU, PT } from "../../elf/constants.ts";
import { isElf } from "../../elf/identity.ts";
import { notesOf } from "../../elf/notes.ts";
import { SutureError } from "../../lib/error.ts";
import { native, PAGE } from "../os/native.ts";

/** An image's bytes, from its file or from where it is mapped. */
export interface ImageBytes {
  /** For messages. */
  readonly name: string;
  /** What starts at this offset of the file; undefined where it cannot be read. */
  atOffset(offset: number, length: number): Buffer | undefined;
  /** What is at this address, as the file numbers them. */
  atAddress(address: number, length: number, layout: ImageLayout): Buffer | undefined;
}

/** A program header; offsets and sizes are bytes of the file. */
export interface Segment {
  readonly offset: number;
  /** As the file numbers addresses. */
  readonly address: number;
  readonly fileSize: number;
  readonly alignment: number;
  readonly executable: boolean;
}

/** What the program headers of an ELF image say. */
export interface ImageLayout {
  /** Those that are loaded. */
  readonly segments: readonly Segment[];
  /** Where .eh_frame_hdr is. */
  readonly searchTable: Segment | undefined;
  readonly notes: readonly Segment[];
  /** Where the section headers are in the file; none: count 0. */
  readonly sectionHeaders: { readonly offset: number; readonly count: number; readonly names: number };
}

const HEADER_SIZE = 64;
/** ELFCLASS64. */
const CLASS_64 = 2;
const PROGRAM_HEADER_SIZE = 56;
const EXECUTABLE = 1;

/** undefined for what is no ELF image of this machine, or cannot be read. */
export function readLayout(bytes: ImageBytes): ImageLayout | undefined {
  const { words, machine } = native();
  const header = bytes.atOffset(0, HEADER_SIZE);
  if (header === undefined || !isElf(header)) return undefined;
  if (header[4] !== CLASS_64 || header[5] !== (words.endian === "little" ? 1 : 2) || words.u16(header, 18) !== machine)
    return undefined;
  const sectionHeaders = { offset: words.size(header, 40), count: words.u16(header, 60), names: words.u16(header, 62) };
  const count = words.u16(header, 56);
  if (words.u16(header, 54) !== PROGRAM_HEADER_SIZE) return undefined;
  const programHeaders = bytes.atOffset(words.size(header, 32), count * PROGRAM_HEADER_SIZE);
  if (programHeaders === undefined) return undefined;
  const segments: Segment[] = [];
  const notes: Segment[] = [];
  let searchTable: Segment | undefined;
  for (let index = 0; index < count; index++) {
    const at = index * PROGRAM_HEADER_SIZE;
    const segment = {
      offset: words.size(programHeaders, at + 8),
      address: words.size(programHeaders, at + 16),
      fileSize: words.size(programHeaders, at + 32),
      alignment: words.size(programHeaders, at + 48),
      executable: ((programHeaders[at + 4] as number) & EXECUTABLE) !== 0,
    };
    const type = words.u32(programHeaders, at);
    if (type === PT.LOAD) segments.push(segment);
    else if (type === PT.GNU_EH_FRAME) searchTable = segment;
    else if (type === PT.NOTE) notes.push(segment);
  }
  return { segments, searchTable, notes, sectionHeaders };
}

/** The GNU build-id in hexadecimal; undefined where there is none that can be read. */
export function buildIdOf(bytes: ImageBytes, layout: ImageLayout): string | undefined {
  for (const { address, fileSize, offset, alignment } of layout.notes) {
    const data = fileSize <= 0x10000 ? bytes.atAddress(address, fileSize, layout) : undefined;
    if (data === undefined) continue;
    try {
      const notes = notesOf(data, native().words.endian, alignment, { file: bytes.name, offset });
      const found = notes.find(({ owner, type }) => owner === "GNU" && type === NT_GNU.BUILD_ID);
      if (found !== undefined) return found.description.toString("hex");
    } catch (error) {
      if (!(error instanceof SutureError)) throw error;
    }
  }
  return undefined;
}

/** The loaded segment that holds an address. */
export function segmentOf(layout: ImageLayout, address: number): Segment | undefined {
  return layout.segments.find((segment) => segment.address <= address && address < segment.address + segment.fileSize);
}

/** What has to be added to an image's addresses where the file from `offset` is mapped, executable, at `start`. */
export function biasOf(layout: ImageLayout, start: number, offset: number): number | undefined {
  const holds = (segment: Segment): boolean =>
    segment.executable &&
    segment.offset - (segment.offset % PAGE) <= offset &&
    offset < segment.offset + segment.fileSize;
  const segment = layout.segments.find(holds);
  return segment === undefined ? undefined : start - offset + segment.offset - segment.address;
}

/** Whether the page at an address is one of the image's code. */
export function isCodeAt(layout: ImageLayout, page: number): boolean {
  return layout.segments.some(
    ({ executable, address, fileSize }) =>
      executable && address - (address % PAGE) <= page && page < address + fileSize,
  );
}
