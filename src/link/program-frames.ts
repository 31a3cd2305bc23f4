/**
 * Call-frame information for the new code: the entries of the compiler's
 * .eh_frame that describe pieces of a livepatch, as an .eh_frame of their own.
 * Source: Linux Standard Base Core, "Exception Frames".
 */

import type { Piece } from "../diff/selection.ts";
import type { Atom } from "../diff/unit.ts";
import { SHF } from "../elf/constants.ts";
import type { ElfFile } from "../elf/model.ts";
import { relocationSections, relocationsOf } from "../elf/relocations.ts";
import { type Words, wordsOf } from "../elf/words.ts";
import { SutureError } from "../lib/error.ts";
import type { Image } from "./image.ts";
import type { Placement } from "./place-pieces.ts";

const FRAMES_SECTION = ".eh_frame";

/** DW_EH_PE_pcrel | DW_EH_PE_sdata4 */
const PC_RELATIVE_4 = 0x1b;

interface Cie {
  /** From the code alignment factor to the return address register. */
  readonly factors: Buffer;
  readonly instructions: Buffer;
  readonly isSignalFrame: boolean;
  /** Exceptions are handled on the way through: the name of who does it. */
  readonly personality: string | undefined;
  readonly hasAugmentation: boolean;
}

/**
 * Appends to the image what describes the pieces' code. Where exceptions land is left out.
 * @returns the pieces that hold landing pads: the unwinder of exceptions has to stop there
 */
export function placeFrames(
  file: ElfFile,
  pieces: readonly Piece[],
  placements: ReadonlyMap<Atom, Placement>,
  image: Image,
): readonly Atom[] {
  const { words, relocations } = image.arch.elf;
  const landing: Atom[] = [];
  for (const frame of framesOf(file)) {
    const atom = pieces.find(
      ({ atom: { section, start, end } }) =>
        section.index === frame.section && frame.start >= start && frame.start < end,
    )?.atom;
    const placement = atom === undefined ? undefined : placements.get(atom);
    if (atom === undefined || placement === undefined) continue;
    if (frame.hasLandingPads) landing.push(atom);
    const section = image.section(FRAMES_SECTION, SHF.ALLOC);
    const cie = record(0, cieBody(frame.cie), words);
    const cieAt = section.append(cie, cie.length, 8);
    const range = Buffer.alloc(4);
    words.setU32(range, 0, frame.length);
    const body = [Buffer.alloc(4), range, Buffer.from([0]), frame.instructions];
    // From the field itself back to where its CIE starts.
    const fde = record(section.size + 4 - cieAt, Buffer.concat(body), words);
    const fdeAt = section.append(fde, fde.length, 8);
    section.fields.push({
      offset: fdeAt + 8,
      type: relocations.distance,
      target: { kind: "section", section: placement.section, offset: placement.offset + frame.start - atom.start },
      addend: 0,
    });
  }
  return landing;
}

/** Ends the table, as the unwinders of libraries want it. */
export function endFrames(image: Image): void {
  const section = image.sections.get(FRAMES_SECTION);
  section?.append(Buffer.alloc(4), 4, 4);
}

function cieBody({ factors, instructions, isSignalFrame }: Cie): Buffer {
  const augmentation = Buffer.from(isSignalFrame ? "zRS\0" : "zR\0", "latin1");
  return Buffer.concat([Buffer.from([1]), augmentation, factors, Buffer.from([1, PC_RELATIVE_4]), instructions]);
}

/** Length, identity, body, and DW_CFA_nop up to the next multiple of 8. */
function record(identity: number, body: Buffer, words: Words): Buffer {
  const size = Math.ceil((8 + body.length) / 8) * 8;
  const data = Buffer.alloc(size);
  words.setU32(data, 0, size - 4);
  words.setU32(data, 4, identity);
  body.copy(data, 8);
  return data;
}

interface Frame {
  readonly cie: Cie;
  /** Index of the section of its code, and the part of it that the entry is for. */
  readonly section: number;
  readonly start: number;
  readonly length: number;
  readonly instructions: Buffer;
  readonly hasLandingPads: boolean;
}

function* framesOf(file: ElfFile): Generator<Frame> {
  const words = wordsOf(file.header.endian);
  const tables = relocationSections(file);
  for (const section of file.sections) {
    if (section.name !== FRAMES_SECTION) continue;
    const relocations = new Map(
      (tables.get(section.index) ?? []).flatMap((table) => relocationsOf(file, table)).map((it) => [it.offset, it]),
    );
    const nameAt = (offset: number): string => {
      const relocation = relocations.get(offset);
      const name = relocation === undefined ? undefined : file.symbols[relocation.symbol]?.name;
      return (name ?? "").replace(/^DW\.ref\./, "");
    };
    const cies = new Map<number, Cie>();
    for (const { at, identity, bytes } of records(section.data, words, file.name)) {
      const reader = new Reader(section.data, at + 8, at + 4 + bytes, file.name);
      if (identity === 0) {
        cies.set(at, readCie(reader, nameAt));
        continue;
      }
      const cie = cies.get(at + 4 - identity);
      if (cie === undefined) throw reader.corrupt("an entry names no CIE");
      const relocation = relocations.get(at + 8);
      const symbol = relocation === undefined ? undefined : file.symbols[relocation.symbol];
      reader.take(4);
      const length = words.u32(reader.take(4), 0);
      const augmentation = cie.hasAugmentation ? reader.take(reader.uleb()) : Buffer.alloc(0);
      if (relocation === undefined || symbol === undefined || symbol.place.kind !== "section") continue;
      const start = Number(symbol.value + relocation.addend);
      const instructions = reader.rest();
      const hasLandingPads = augmentation.length > 0 && relocations.has(at + 17);
      yield { cie, section: symbol.place.section, start, length, instructions, hasLandingPads };
    }
  }
}

function* records(
  data: Buffer,
  words: Words,
  name: string,
): Generator<{ at: number; identity: number; bytes: number }> {
  for (let at = 0; at + 4 <= data.length; ) {
    const bytes = words.u32(data, at);
    if (bytes === 0) {
      at += 4;
      continue;
    }
    if (bytes < 4 || bytes > data.length - at - 4) throw corrupt(name, at, "an entry of a length that is not its own");
    yield { at, identity: words.u32(data, at + 4), bytes };
    at += 4 + bytes;
  }
}

function readCie(reader: Reader, nameAt: (offset: number) => string): Cie {
  const version = reader.take(1)[0];
  if (version !== 1 && version !== 3) throw reader.corrupt(`a CIE of version ${version}`);
  const augmentation = reader.text();
  const from = reader.at;
  reader.uleb();
  reader.uleb();
  if (version === 1) reader.take(1);
  else reader.uleb();
  const factors = reader.data.subarray(from, reader.at);
  let personality: string | undefined;
  if (augmentation.startsWith("z")) {
    const size = reader.uleb();
    const end = reader.at + size;
    for (const letter of augmentation.slice(1)) {
      if (letter === "R" || letter === "L") reader.take(1);
      else if (letter === "P") {
        const encoding = reader.take(1)[0] ?? 0;
        personality = nameAt(reader.at);
        reader.take((encoding & 0x0f) === 0 || (encoding & 0x07) === 4 ? 8 : 4);
      } else if (letter !== "S") throw reader.corrupt(`a CIE with the augmentation ${augmentation}`);
    }
    reader.to(end);
  } else if (augmentation !== "") throw reader.corrupt(`a CIE with the augmentation ${augmentation}`);
  return {
    factors,
    instructions: reader.rest(),
    isSignalFrame: augmentation.includes("S"),
    personality,
    hasAugmentation: augmentation.startsWith("z"),
  };
}

class Reader {
  readonly data: Buffer;
  at: number;
  readonly #end: number;
  readonly #name: string;

  constructor(data: Buffer, at: number, end: number, name: string) {
    this.data = data;
    this.at = at;
    this.#end = end;
    this.#name = name;
  }

  take(bytes: number): Buffer {
    if (bytes > this.#end - this.at) throw this.corrupt("an entry that ends too early");
    this.at += bytes;
    return this.data.subarray(this.at - bytes, this.at);
  }

  to(end: number): void {
    if (end < this.at) throw this.corrupt("augmentation data that is too short");
    this.take(end - this.at);
  }

  rest(): Buffer {
    return this.take(this.#end - this.at);
  }

  /** Also stands for a signed one, whose value does not matter. */
  uleb(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.take(1)[0] ?? 0;
      if (shift < 28) value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
  }

  text(): string {
    let text = "";
    for (let byte = this.take(1)[0]; byte; byte = this.take(1)[0]) text += String.fromCharCode(byte);
    return text;
  }

  corrupt(what: string): SutureError {
    return corrupt(this.#name, this.at, what);
  }
}

function corrupt(name: string, at: number, what: string): SutureError {
  return new SutureError("OBJECT_CORRUPT", `call-frame information has ${what}`, {
    where: `${name}: ${FRAMES_SECTION}+0x${at.toString(16)}`,
    hint: "compile the object again",
  });
}
