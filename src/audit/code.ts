/** A function's code as a list of instructions in which no place is a number. */
import type { ElfSection } from "../elf/model.ts";
import type { Field, Place, PlainObject } from "./plain-object.ts";

/** An operand that leads out of the code it stands in: relocated, or counted from the instruction's own place. */
export interface CodeReference {
  /** `branch`: the operand of a call or a jump. */
  readonly kind: "branch" | "other";
  /** Memory is read there, or compared, and its address goes nowhere. */
  readonly isRead: boolean;
  readonly place: Place;
}

/**
 * One instruction, in a form in which two that do the same are equal: what its places
 * are is in `references` and `within`, not in `text`.
 */
export interface CodeInstruction {
  /** From the start of the code. */
  readonly offset: number;
  /** Its bytes in hexadecimal, those of places cleared; a jump has one form, whatever the length of its displacement. */
  readonly text: string;
  readonly bytes: Buffer;
  readonly references: readonly CodeReference[];
  /** Where it jumps to within this code, from the code's start. */
  readonly within: number | undefined;
  /** Does nothing, and is there to fill up. */
  readonly isFiller: boolean;
}

/**
 * Decodes the bytes from `start` to `end` of a section. A byte that begins no
 * instruction that is known stands for itself, so that nothing is passed over.
 */
export function codeOf(object: PlainObject, section: ElfSection, start: number, end: number): CodeInstruction[] {
  const code: CodeInstruction[] = [];
  const { data } = section;
  const { arch, plainCode } = object;
  for (let at = start; at < end; ) {
    const decoded = arch.code.decode(data, at, end);
    const length = decoded?.length ?? 1;
    const fields = object.fieldsIn(section, at, at + length);
    const references: CodeReference[] = [];
    const bytes = Buffer.from(data.subarray(at, at + length));
    const cleared = Buffer.from(bytes);
    let within: number | undefined;
    let text: string | undefined;
    const branch = decoded?.branch ?? 0;
    const isRead = plainCode.isRead(bytes);
    for (const field of fields) {
      cleared.fill(0, field.offset - at, field.offset - at + field.size);
      const isBranch = branch === 4 && field.offset === at + length - 4;
      const place = object.placeOf(field, arch.elf.isPcRelative(field.type) ? at + length - field.offset : 0);
      if (isBranch) text = plainCode.branchText(data, at, length);
      const inside = isBranch ? offsetIn(place, section) : undefined;
      if (inside !== undefined && inside >= start && inside < end) within = inside - start;
      else references.push({ kind: isBranch ? "branch" : "other", isRead, place });
    }
    if (branch !== 0 && fields.length === 0) {
      const to = decoded === undefined ? at : arch.code.leadsTo(data, at, decoded);
      text = plainCode.branchText(data, at, length);
      if (to >= start && to < end) within = to - start;
      else references.push({ kind: "branch", isRead, place: object.placeAt(section, to) });
    } else if (decoded?.field !== undefined && !covers(fields, at + decoded.field)) {
      references.push({ kind: "other", isRead, place: object.placeAt(section, arch.code.leadsTo(data, at, decoded)) });
      cleared.fill(0, decoded.field, decoded.field + RELATIVE_BYTES);
    }
    text ??= decoded === undefined ? `no instruction ${cleared.toString("hex")}` : cleared.toString("hex");
    code.push({
      offset: at - start,
      text,
      bytes,
      references,
      within,
      isFiller: fields.length === 0 && plainCode.isFiller(text),
    });
    at += length;
  }
  return code;
}

/** Of a field by which an instruction names a place relative to itself. */
const RELATIVE_BYTES = 4;

function covers(fields: readonly Field[], at: number): boolean {
  return fields.some(({ offset, size }) => offset <= at && at < offset + size);
}

function offsetIn(place: Place, section: ElfSection): number | undefined {
  if (place.kind === "named") return place.named.section === section ? place.named.start + place.offset : undefined;
  return place.kind === "anonymous" && place.section === section ? place.offset : undefined;
}
