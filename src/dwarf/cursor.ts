import type { Words } from "../elf/words.ts";
import { corrupt } from "./fault.ts";

/** Bytes of a section, and where they are. */
export interface Section {
  /** For messages. */
  readonly name: string;
  readonly data: Buffer;
  readonly words: Words;
  /** Of the first byte; the unit of all addresses that are read from the section. */
  readonly address: number;
}

/** Reads one thing after another; beyond `end` it throws DWARF_CORRUPT. */
export class Cursor {
  readonly section: Section;
  /** Offset in the section of what is read next. */
  at: number;
  readonly end: number;

  constructor(section: Section, at: number, end: number) {
    if (!(at >= 0 && at <= end && end <= section.data.length)) {
      throw corrupt(section.name, undefined, "an entry goes beyond its section");
    }
    this.section = section;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** Offset of `count` bytes, which are passed over. */
  skip(count: number): number {
    const at = this.at;
    if (!(count <= this.end - at)) throw corrupt(this.section.name, at, "an entry ends in the middle of a field");
    this.at += count;
    return at;
  }

  u8(): number {
    return this.section.data[this.skip(1)] as number;
  }

  i8(): number {
    return this.section.data.readInt8(this.skip(1));
  }

  u16(): number {
    return this.section.words.u16(this.section.data, this.skip(2));
  }

  i16(): number {
    return this.section.words.i16(this.section.data, this.skip(2));
  }

  u32(): number {
    return this.section.words.u32(this.section.data, this.skip(4));
  }

  i32(): number {
    return this.section.words.i32(this.section.data, this.skip(4));
  }

  u64(): bigint {
    return this.section.words.u64(this.section.data, this.skip(8));
  }

  i64(): bigint {
    return this.section.words.i64(this.section.data, this.skip(8));
  }

  /** An unsigned 64-bit field that has to be small enough to be exact. */
  size(): number {
    const at = this.skip(8);
    return this.exact(this.section.words.size(this.section.data, at), at);
  }

  unsigned(): number {
    const start = this.at;
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return this.exact(value, start);
      scale *= 0x80;
      if (this.at - start > 10) throw corrupt(this.section.name, start, "a number of more than 64 bits");
    }
  }

  signed(): number {
    const start = this.at;
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80) return this.exact(byte & 0x40 ? value - scale : value, start);
      if (this.at - start > 10) throw corrupt(this.section.name, start, "a number of more than 64 bits");
    }
  }

  /** Text up to a NUL, which is passed over. */
  text(): string {
    const end = this.section.data.indexOf(0, this.at);
    if (end < 0 || end >= this.end) throw corrupt(this.section.name, this.at, "a text without an end");
    const text = this.section.data.toString("latin1", this.at, end);
    this.at = end + 1;
    return text;
  }

  private exact(value: number, at: number): number {
    if (!Number.isSafeInteger(value)) throw corrupt(this.section.name, at, "a number above 2^53");
    return value;
  }
}
