import { viewOf } from "./bytes.ts";
import { NT_GNU, PT, SHT } from "./constants.ts";
import { corrupt, type Place } from "./fault.ts";
import type { ElfFile } from "./model.ts";

/** One entry of a note section or segment. Source: System V gABI, "Note Section". */
export interface Note {
  /** Without the terminating NUL, for instance `GNU`. */
  readonly owner: string;
  /** NT_*, by owner. */
  readonly type: number;
  readonly description: Buffer;
}

/**
 * Decodes the contents of a SHT_NOTE section or PT_NOTE segment. `alignment`
 * is the section's: 8 for the notes that are padded to 8 bytes, otherwise 4.
 */
export function notesOf(data: Buffer, endian: "little" | "big", alignment: number, place: Place): Note[] {
  const notes: Note[] = [];
  const little = endian === "little";
  const step = alignment === 8 ? 8 : 4;
  const view = viewOf(data);
  let at = 0;
  while (at + 12 <= data.length) {
    const nameSize = view.getUint32(at, little);
    const size = view.getUint32(at + 4, little);
    const nameEnd = at + 12 + nameSize;
    const start = Math.ceil(nameEnd / step) * step;
    if (nameEnd > data.length || (size > 0 && start + size > data.length)) {
      throw corrupt({ ...place, offset: at }, "a note goes beyond its section");
    }
    const [owner = ""] = data.toString("latin1", at + 12, nameEnd).split("\0", 1);
    notes.push({ owner, type: view.getUint32(at + 8, little), description: data.subarray(start, start + size) });
    at = Math.ceil((start + size) / step) * step;
  }
  return notes;
}

/**
 * The GNU build-id in hexadecimal, from the note sections or, where there are
 * none, from the PT_NOTE segments. Throws ELF_CORRUPT for notes that are damaged.
 */
export function buildIdOf(file: ElfFile): string | undefined {
  const { endian } = file.header;
  for (const { data, alignment, place } of noteAreas(file)) {
    const found = notesOf(data, endian, alignment, place).find(
      (note) => note.owner === "GNU" && note.type === NT_GNU.BUILD_ID,
    );
    if (found !== undefined) return found.description.toString("hex");
  }
  return undefined;
}

interface NoteArea {
  readonly data: Buffer;
  readonly alignment: number;
  readonly place: Place;
}

function noteAreas(file: ElfFile): NoteArea[] {
  const sections = file.sections.filter((section) => section.type === SHT.NOTE);
  if (sections.length > 0) {
    return sections.map((section) => {
      const { data, alignment } = section;
      return { data, alignment, place: { file: file.name, section } };
    });
  }
  const areas: NoteArea[] = [];
  let total = 0;
  for (const { type, offset, fileSize, alignment } of file.programHeaders) {
    if (type !== PT.NOTE) continue;
    const place = { file: file.name, offset };
    const data = file.data.subarray(offset, offset + fileSize);
    total += fileSize;
    if (data.length < fileSize || total > file.data.length) {
      throw corrupt(place, "the note segments do not fit in the file");
    }
    areas.push({ data, alignment: Number(alignment), place });
  }
  return areas;
}
