import { SutureError } from "../lib/error.ts";

/** A place in an ELF file, for messages. */
export interface Place {
  readonly file: string;
  /** Index and, once it is known, name. */
  readonly section?: { readonly index: number; readonly name?: string } | undefined;
  /** Within the section where one is given, else within the file; bytes. */
  readonly offset?: number | undefined;
}

function words(place: Place): string {
  let text = place.file;
  if (place.section !== undefined) {
    text += `, section ${place.section.index}`;
    if (place.section.name) text += ` (${printable(place.section.name)})`;
  }
  if (place.offset !== undefined) text += `, offset 0x${place.offset.toString(16)}`;
  return text;
}

/** A name from an untrusted file, cut short and without control characters. */
function printable(name: string): string {
  const short = name.length > 80 ? `${name.slice(0, 77)}...` : name;
  return short.replace(/[^\x20-\x7e\xa0-\ud7ff\ue000-\uffff]/g, "?");
}

const DAMAGED = "rebuild the file or fetch it again; `readelf -aW` shows what is left of it";

/** The file ends before what it announces. */
export function truncated(place: Place, what: string): SutureError {
  return new SutureError("ELF_TRUNCATED", what, { where: words(place), hint: DAMAGED });
}

/** The file contradicts itself or the format. */
export function corrupt(place: Place, what: string, cause?: unknown): SutureError {
  return new SutureError("ELF_CORRUPT", what, { where: words(place), hint: DAMAGED, cause });
}

/** Valid, as far as can be seen, but beyond what is read here. */
export function unsupported(place: Place, what: string, hint: string): SutureError {
  return new SutureError("ELF_UNSUPPORTED", what, { where: words(place), hint });
}

/** An edit that the file's layout does not allow. */
export function cannotWrite(place: Place, what: string, hint: string): SutureError {
  return new SutureError("ELF_CANNOT_WRITE", what, { where: words(place), hint });
}
