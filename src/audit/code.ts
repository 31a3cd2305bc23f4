/** A function's code as a list of instructions in which no place is a number. */
import { decodeInstruction } from "../arch/x86_64/instruction.ts";
import { isPcRelative } from "../arch/x86_64/relocations.ts";
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
  for (let at = start; at < end; ) {
    const decoded = decodeInstruction(data, at, end);
    const length = decoded?.length ?? 1;
    const fields = object.fieldsIn(section, at, at + length);
    const references: CodeReference[] = [];
    const bytes = Buffer.from(data.subarray(at, at + length));
    const cleared = Buffer.from(bytes);
    let within: number | undefined;
    let text: string | undefined;
    const branch = decoded?.branch ?? 0;
    const isRead = readsMemory(bytes);
    for (const field of fields) {
      cleared.fill(0, field.offset - at, field.offset - at + field.size);
      const isBranch = branch === 4 && field.offset === at + length - 4;
      const place = object.placeOf(field, isPcRelative(field.type) ? at + length - field.offset : 0);
      if (isBranch) text = branchText(data, at, length);
      const inside = isBranch ? offsetIn(place, section) : undefined;
      if (inside !== undefined && inside >= start && inside < end) within = inside - start;
      else references.push({ kind: isBranch ? "branch" : "other", isRead, place });
    }
    if (branch !== 0 && fields.length === 0) {
      const to = at + length + (branch === 1 ? data.readInt8(at + length - 1) : data.readInt32LE(at + length - 4));
      text = branchText(data, at, length);
      if (to >= start && to < end) within = to - start;
      else references.push({ kind: "branch", isRead, place: object.placeAt(section, to) });
    } else if (decoded?.ripField !== undefined && !covers(fields, at + decoded.ripField)) {
      const field = at + decoded.ripField;
      const place = object.placeAt(section, at + length + data.readInt32LE(field));
      references.push({ kind: "other", isRead, place });
      cleared.fill(0, decoded.ripField, decoded.ripField + 4);
    }
    text ??= decoded === undefined ? `no instruction ${cleared.toString("hex")}` : cleared.toString("hex");
    code.push({
      offset: at - start,
      text,
      bytes,
      references,
      within,
      isFiller: fields.length === 0 && FILLER.test(text),
    });
    at += length;
  }
  return code;
}

/** nop in all its lengths, and the one-byte ones around it. */
const FILLER = /^((66|2e|3e)*0f1f|(66)*90$|cc$)/;

/** Loads, comparisons and tests that have no immediate operand: what is relocated in them is the place of their memory. */
function readsMemory(bytes: Buffer): boolean {
  const opcode = bytes.findIndex((byte) => !isPrefix(byte));
  if (opcode < 0) return false;
  if (bytes[opcode] === 0x0f) return LOADS_0F.has(bytes[opcode + 1] ?? 0);
  return LOADS.has(bytes[opcode] as number);
}

/** cmp, movsxd, test, mov. */
const LOADS: ReadonlySet<number> = new Set([0x38, 0x39, 0x3a, 0x3b, 0x63, 0x84, 0x85, 0x8a, 0x8b]);
/** movups, movaps, movdqa, movzx, movsx. */
const LOADS_0F: ReadonlySet<number> = new Set([0x10, 0x28, 0x6f, 0xb6, 0xb7, 0xbe, 0xbf]);

function branchText(data: Buffer, at: number, length: number): string {
  let opcode = at;
  const prefixes: number[] = [];
  while (opcode < at + length && isPrefix(data[opcode] as number)) prefixes.push(data[opcode++] as number);
  const first = data[opcode] as number;
  const before = prefixes.map((each) => each.toString(16)).join("");
  if (first === 0xeb || first === 0xe9) return `${before}jump`;
  if (first >= 0x70 && first < 0x80) return `${before}jump if ${first & 15}`;
  if (first === 0x0f) return `${before}jump if ${(data[opcode + 1] as number) & 15}`;
  return `${before}branch ${first.toString(16)}`;
}

function isPrefix(byte: number): boolean {
  return byte === 0x66 || byte === 0x2e || byte === 0x3e || byte === 0xf2 || byte === 0xf3 || (byte & 0xf0) === 0x40;
}

function covers(fields: readonly Field[], at: number): boolean {
  return fields.some(({ offset, size }) => offset <= at && at < offset + size);
}

function offsetIn(place: Place, section: ElfSection): number | undefined {
  if (place.kind === "named") return place.named.section === section ? place.named.start + place.offset : undefined;
  return place.kind === "anonymous" && place.section === section ? place.offset : undefined;
}
