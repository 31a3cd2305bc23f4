import { NT_GNU, PT } from "../../elf/constants.ts";
import { notesOf } from "../../elf/notes.ts";
import { HEADER_BYTES, type Segment, segmentsIn, segmentTable } from "../../elf/segments.ts";
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

/** Its address is as the file numbers addresses. */
export type ImageSegment = Pick<Segment, "offset" | "address" | "fileSize" | "alignment"> & {
  readonly executable: boolean;
};

/** What the program headers of an ELF image say. */
export interface ImageLayout {
  /** Those that are loaded. */
  readonly segments: readonly ImageSegment[];
  /** Where .eh_frame_hdr is. */
  readonly searchTable: ImageSegment | undefined;
  readonly notes: readonly ImageSegment[];
  /** Where the section headers are in the file; none: count 0. */
  readonly sectionHeaders: { readonly offset: number; readonly count: number; readonly names: number };
}

const EXECUTABLE = 1;

/** undefined for what is no ELF image of this machine, or cannot be read. */
export function readLayout(bytes: ImageBytes): ImageLayout | undefined {
  const { words, machine } = native();
  const header = bytes.atOffset(0, HEADER_BYTES);
  const table = header && segmentTable(header);
  if (table === undefined || table.words !== words || table.machine !== machine) return undefined;
  const programHeaders = bytes.atOffset(table.offset, table.size);
  if (programHeaders === undefined) return undefined;
  const all = segmentsIn(programHeaders, table).map((each) => ({
    ...each,
    executable: (each.flags & EXECUTABLE) !== 0,
  }));
  return {
    segments: all.filter(({ type }) => type === PT.LOAD),
    searchTable: all.findLast(({ type }) => type === PT.GNU_EH_FRAME),
    notes: all.filter(({ type }) => type === PT.NOTE),
    sectionHeaders: table.sectionHeaders,
  };
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
export function segmentOf(layout: ImageLayout, address: number): ImageSegment | undefined {
  return layout.segments.find((segment) => segment.address <= address && address < segment.address + segment.fileSize);
}

/** What has to be added to an image's addresses where the file from `offset` is mapped, executable, at `start`. */
export function biasOf(layout: ImageLayout, start: number, offset: number): number | undefined {
  const holds = (segment: ImageSegment): boolean =>
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
