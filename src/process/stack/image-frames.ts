import type { Section } from "../../dwarf/cursor.ts";
import { type FrameTable, scannedTable, tableWithSearch } from "../../dwarf/frame-table.ts";
import { readSearchTable } from "../../dwarf/search-table.ts";
import { SutureError } from "../../lib/error.ts";
import { nativeWords } from "../os/native.ts";
import { type ImageBytes, type ImageLayout, segmentOf } from "./image-layout.ts";

/** More call-frame information than any program has; bytes. */
const MOST_BYTES = 1 << 29;
const SECTION_HEADER_SIZE = 64;

/** The call-frame information of an image, or why there is none that can be used. */
export type ImageFrames =
  | { readonly kind: "frames"; readonly table: FrameTable }
  | { readonly kind: "none"; readonly why: string };

/** Finds it by the program headers, as the program itself does, or where there is no search table by the sections. */
export function framesOf(bytes: ImageBytes, layout: ImageLayout): ImageFrames {
  try {
    const table = tableOf(bytes, layout);
    return table === undefined ? { kind: "none", why: "no frame information in it" } : { kind: "frames", table };
  } catch (error) {
    if (error instanceof SutureError) return { kind: "none", why: error.message };
    throw error;
  }
}

function tableOf(bytes: ImageBytes, layout: ImageLayout): FrameTable | undefined {
  const { searchTable } = layout;
  if (searchTable === undefined) {
    const found = sectionCalled(bytes, layout, ".eh_frame");
    const section = found && sectionAt(bytes, layout, { name: ".eh_frame", ...found });
    return section && scannedTable(section);
  }
  const header = sectionAt(bytes, layout, {
    name: ".eh_frame_hdr",
    address: searchTable.address,
    size: searchTable.fileSize,
  });
  if (header === undefined) return undefined;
  const search = readSearchTable(header);
  const segment = segmentOf(layout, search.ehFrame);
  if (segment === undefined) return undefined;
  const exact = sectionCalled(bytes, layout, ".eh_frame");
  // Without section headers: up to the end of the segment. Its end is marked within.
  const rest = segment.address + segment.fileSize - search.ehFrame;
  const size = exact?.address === search.ehFrame ? Math.min(exact.size, rest) : rest;
  const section = sectionAt(bytes, layout, { name: ".eh_frame", address: search.ehFrame, size });
  return section && tableWithSearch(section, search);
}

function sectionAt(
  bytes: ImageBytes,
  layout: ImageLayout,
  { name, address, size }: { readonly name: string; readonly address: number; readonly size: number },
): Section | undefined {
  const data = size <= MOST_BYTES ? bytes.atAddress(address, size, layout) : undefined;
  return data && { name: `${bytes.name}, ${name}`, data, words: nativeWords(), address };
}

/** A section by its name; undefined where the image has no section headers, as one in memory. */
function sectionCalled(
  bytes: ImageBytes,
  { sectionHeaders }: ImageLayout,
  name: string,
): { readonly address: number; readonly size: number } | undefined {
  const { offset, count, names } = sectionHeaders;
  if (count === 0 || names >= count) return undefined;
  const headers = bytes.atOffset(offset, count * SECTION_HEADER_SIZE);
  if (headers === undefined) return undefined;
  const texts = contentsOf(bytes, headers, names);
  const wanted = `${name}\0`;
  for (let at = 0; at < headers.length; at += SECTION_HEADER_SIZE) {
    const start = nativeWords().u32(headers, at);
    if (texts?.toString("latin1", start, start + wanted.length) === wanted) {
      return { address: nativeWords().size(headers, at + 16), size: nativeWords().size(headers, at + 32) };
    }
  }
  return undefined;
}

function contentsOf(bytes: ImageBytes, headers: Buffer, index: number): Buffer | undefined {
  const at = index * SECTION_HEADER_SIZE;
  const size = nativeWords().size(headers, at + 32);
  return size <= MOST_BYTES ? bytes.atOffset(nativeWords().size(headers, at + 24), size) : undefined;
}
