/** The module as it grows: output sections, their contents and what their fields refer to. */
import type { Arch } from "../arch/arch.ts";
import { SHF, SHT } from "../elf/constants.ts";
import type { Origin } from "./input.ts";

/** What a field leads to: a place of the livepatch itself, or something that it finds where it is loaded. */
export type FieldTarget =
  | { readonly kind: "section"; readonly section: OutputSection; readonly offset: number }
  | {
      readonly kind: "origin";
      readonly origin: Origin;
      /** The object whose patching binds the field, where the livepatch core does. */
      readonly waitsFor: string;
      /** From where the origin lies; 0 where it is not given. */
      readonly offset?: number;
    }
  /** Defined nowhere: a weak symbol, which is 0. */
  | { readonly kind: "nothing"; readonly name: string }
  | { readonly kind: "absolute"; readonly value: number };

/** A field that is filled in when the livepatch is loaded; `offset` is in bytes from the start of its section. */
export interface Field {
  readonly offset: number;
  /** R_* */
  readonly type: number;
  readonly target: FieldTarget;
  /** From the target. */
  readonly addend: number;
}

/** A symbol that the livepatch defines; `value` is an offset in its section. */
export interface OutputSymbol {
  readonly name: string;
  readonly section: OutputSection;
  readonly value: number;
  readonly size: number;
  /** STT_* */
  readonly type: number;
  readonly isGlobal: boolean;
}

type SectionHead = Pick<OutputSection, "name" | "flags" | "type" | "entrySize">;

/** A section of the livepatch, filled from its start. */
export class OutputSection {
  readonly name: string;
  readonly flags: number;
  readonly type: number;
  readonly entrySize: number;
  readonly fields: Field[] = [];
  alignment = 1;
  size = 0;
  readonly #arch: Arch;
  readonly #parts: Buffer[] = [];
  readonly #written: [offset: number, bytes: 1 | 8, value: number][] = [];

  constructor(arch: Arch, { name, flags, type, entrySize }: SectionHead) {
    this.#arch = arch;
    this.name = name;
    this.flags = flags;
    this.type = type;
    this.entrySize = entrySize;
  }

  /** Appends; @returns the offset at which `data` starts. @param skew offset = skew modulo the alignment */
  append(data: Buffer, size: number, alignment: number, skew = 0): number {
    this.alignment = Math.max(this.alignment, alignment);
    const padding = (alignment - ((this.size - skew) % alignment)) % alignment;
    const filler = (this.flags & SHF.EXECINSTR) !== 0 ? this.#arch.code.filler : 0;
    const offset = this.size + padding;
    if (this.type !== SHT.NOBITS) this.#parts.push(Buffer.alloc(padding, filler), data);
    this.size = offset + size;
    return offset;
  }

  /** Writes into what was appended: [offset, value] each. */
  write64(values: readonly (readonly [number, number])[]): void {
    for (const [offset, value] of values) this.#written.push([offset, 8, value]);
  }

  write8(offset: number, value: number): void {
    this.#written.push([offset, 1, value]);
  }

  data(): Buffer {
    const data = Buffer.concat(this.#parts);
    const { words } = this.#arch.elf;
    for (const [offset, bytes, value] of this.#written) {
      if (bytes === 8) words.setSize(data, offset, value);
      else data[offset] = value;
    }
    return data;
  }
}

/** All output sections by name, in the order they were first asked for. */
export class Image {
  readonly arch: Arch;
  readonly sections = new Map<string, OutputSection>();
  readonly symbols: OutputSymbol[] = [];
  readonly #literals = new Map<string, number>();

  constructor(arch: Arch) {
    this.arch = arch;
  }

  section(name: string, flags: number, type: number = SHT.PROGBITS, entrySize = 0): OutputSection {
    let section = this.sections.get(name);
    if (section === undefined) {
      section = new OutputSection(this.arch, { name, flags, type, entrySize });
      this.sections.set(name, section);
    }
    return section;
  }

  text(): OutputSection {
    return this.section(".text", SHF.ALLOC | SHF.EXECINSTR);
  }

  constants(): OutputSection {
    return this.section(".rodata", SHF.ALLOC);
  }

  variables(): OutputSection {
    return this.section(".data", SHF.ALLOC | SHF.WRITE);
  }

  /** Where a literal lies; equal ones are kept once. @param bytes latin-1, terminator included */
  literal(bytes: string, alignment = 1): FieldTarget & { readonly kind: "section" } {
    const section = this.constants();
    const key = `${alignment} ${bytes}`;
    let offset = this.#literals.get(key);
    if (offset === undefined) {
      const data = Buffer.from(bytes, "latin1");
      offset = section.append(data, data.length, alignment);
      this.#literals.set(key, offset);
    }
    return { kind: "section", section, offset };
  }

  /** A C string. */
  string(text: string): FieldTarget & { readonly kind: "section" } {
    return this.literal(`${text}\0`);
  }
}
