import { Cursor, type Section } from "./cursor.ts";
import { corrupt, unsupported } from "./fault.ts";
import { type Bases, PE, type Pointer, readLength, readPointer } from "./pointer.ts";

/** Part of a section: offsets, half-open. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/** What the functions of a unit have in common. */
export interface Cie {
  readonly augmentation: string;
  readonly codeAlignment: number;
  readonly dataAlignment: number;
  /** The register column that stands for the return address. */
  readonly returnRegister: number;
  readonly pointerEncoding: number;
  readonly lsdaEncoding: number;
  readonly personality: Pointer | undefined;
  /** Whether the functions are entered by the kernel for a signal, so that an outer frame is no call. */
  readonly isSignal: boolean;
  readonly instructions: Extent;
}

/** The call-frame information of one piece of code, `start <= address < end`. */
export interface Fde {
  readonly section: Section;
  /** Of the entry, in the section. */
  readonly offset: number;
  readonly start: number;
  readonly end: number;
  readonly cie: Cie;
  /** Table for exceptions, where the function has one. */
  readonly lsda: Pointer | undefined;
  readonly instructions: Extent;
}

/** The frame of an entry, before it is known what it is. */
interface Envelope {
  readonly offset: number;
  /** 0 for a CIE; for an FDE the distance back to its CIE from `idAt`. */
  readonly id: number;
  readonly idAt: number;
  /** Just after the id. */
  readonly body: number;
  readonly end: number;
}

const EXTENDED = 0xffff_ffff;

/** undefined for the terminator. */
function envelopeAt(section: Section, offset: number): Envelope | undefined {
  const cursor = new Cursor(section, offset, section.data.length);
  const short = cursor.u32();
  if (short === 0) return undefined;
  const length = short === EXTENDED ? cursor.size() : short;
  const idAt = cursor.at;
  const end = idAt + length;
  if (length < 4 || end > section.data.length) {
    throw corrupt(section.name, offset, "an entry that is shorter than its head or goes beyond its section");
  }
  return { offset, id: cursor.u32(), idAt, body: cursor.at, end };
}

/** CIEs that have been read, by offset. */
export type Cies = Map<number, Cie>;

/** The FDE at an offset of .eh_frame. Throws DWARF_CORRUPT, also where there is something else. */
export function fdeAt(section: Section, offset: number, cies: Cies, bases: Bases): Fde {
  const envelope = envelopeAt(section, offset);
  if (envelope === undefined || envelope.id === 0) throw corrupt(section.name, offset, "no description of a function");
  const fde = readFde(section, envelope, cies, bases);
  if (fde === undefined) throw corrupt(section.name, offset, "a description of no function");
  return fde;
}

/** All FDEs in the order of the section; those that the linker emptied are left out. */
export function* allFdes(section: Section, cies: Cies, bases: Bases): Generator<Fde> {
  let at = 0;
  while (at + 4 <= section.data.length) {
    const envelope = envelopeAt(section, at);
    // A terminator can stand in the middle where crtend.o was not linked last: what is behind it is not in use.
    if (envelope === undefined) return;
    if (envelope.id !== 0) {
      const fde = readFde(section, envelope, cies, bases);
      if (fde !== undefined) yield fde;
    }
    at = envelope.end;
  }
}

function readFde(section: Section, envelope: Envelope, cies: Cies, bases: Bases): Fde | undefined {
  const { offset, idAt, id, body, end } = envelope;
  const cie = cieAt(section, idAt - id, cies, bases);
  const cursor = new Cursor(section, body, end);
  const start = readPointer(cursor, cie.pointerEncoding, bases);
  const size = readLength(cursor, cie.pointerEncoding);
  if (start === undefined || size === 0) return undefined;
  if (start.indirect) throw unsupported(section.name, offset, "indirect addresses of functions");
  let lsda: Pointer | undefined;
  if (cie.augmentation.startsWith("z")) {
    const length = cursor.unsigned();
    const after = cursor.at + length;
    if (after > end) throw corrupt(section.name, offset, "augmentation data that goes beyond its entry");
    if (cie.lsdaEncoding !== PE.OMIT) {
      lsda = readPointer(new Cursor(section, cursor.at, after), cie.lsdaEncoding, {
        ...bases,
        function: start.address,
      });
    }
    cursor.at = after;
  }
  const instructions = { start: cursor.at, end };
  return { section, offset, start: start.address, end: start.address + size, cie, lsda, instructions };
}

function cieAt(section: Section, offset: number, cies: Cies, bases: Bases): Cie {
  const known = cies.get(offset);
  if (known !== undefined) return known;
  const envelope = offset >= 0 ? envelopeAt(section, offset) : undefined;
  if (envelope === undefined || envelope.id !== 0) {
    throw corrupt(section.name, offset, "an entry that refers to a CIE where there is none");
  }
  const cie = readCie(section, envelope, bases);
  cies.set(offset, cie);
  return cie;
}

function readCie(section: Section, { offset, body, end }: Envelope, bases: Bases): Cie {
  const cursor = new Cursor(section, body, end);
  const version = cursor.u8();
  if (version !== 1 && version !== 3 && version !== 4) throw unsupported(section.name, offset, `version ${version}`);
  const augmentation = cursor.text();
  if (version === 4 && (cursor.u8() !== 8 || cursor.u8() !== 0)) {
    throw unsupported(section.name, offset, "segments or addresses that are not of 64 bits");
  }
  const codeAlignment = cursor.unsigned();
  const dataAlignment = cursor.signed();
  const returnRegister = version === 1 ? cursor.u8() : cursor.unsigned();
  const traits = readAugmentation(cursor, augmentation, offset, bases);
  const instructions = { start: cursor.at, end };
  return { augmentation, codeAlignment, dataAlignment, returnRegister, ...traits, instructions };
}

type Traits = Pick<Cie, "pointerEncoding" | "lsdaEncoding" | "personality" | "isSignal">;

/** Leaves the cursor behind the augmentation data. A letter that is not known may mean anything, so it is refused. */
function readAugmentation(cursor: Cursor, augmentation: string, offset: number, bases: Bases): Traits {
  const { section } = cursor;
  let pointerEncoding: number = PE.ABSPTR;
  let lsdaEncoding: number = PE.OMIT;
  let personality: Pointer | undefined;
  let isSignal = false;
  let end: number | undefined;
  for (const [index, letter] of [...augmentation].entries()) {
    if (letter === "z" && index === 0) {
      const length = cursor.unsigned();
      end = cursor.at + length;
    } else if (letter === "R") pointerEncoding = cursor.u8();
    else if (letter === "L") lsdaEncoding = cursor.u8();
    else if (letter === "P") personality = readPointer(cursor, cursor.u8(), bases);
    else if (letter === "S") isSignal = true;
    else if (letter !== "B") {
      throw unsupported(section.name, offset, `the augmentation ${JSON.stringify(augmentation.slice(0, 16))}`);
    }
  }
  if (end !== undefined) {
    if (end < cursor.at || end > cursor.end) throw corrupt(section.name, offset, "augmentation data of a wrong length");
    cursor.at = end;
  }
  return { pointerEncoding, lsdaEncoding, personality, isSignal };
}
