import { nativeWords } from "../os/native.ts";
import type { TargetMemory } from "./target-memory.ts";

const HIGH = 0x1_0000_0000;
/** Nearly every stack has its frames in so many bytes, and more take measurably longer. */
const FIRST_SIZE = 3584;
const MOST_SIZE = 1 << 16;

/** Words of the target's memory, read a large piece at a time. */
export class Window {
  readonly #memory: TargetMemory;
  readonly #isLittle = nativeWords().endian === "little";
  #buffer: Buffer | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #start = 0;
  #end = 0;
  /** Up to where memory is known to go on. */
  #limit = 0;
  #size = FIRST_SIZE;

  constructor(memory: TargetMemory) {
    this.#memory = memory;
  }

  /** To be called when somebody else has read from the memory, whose buffer may be the same. */
  forget(): void {
    this.#end = 0;
    this.#start = 0;
  }

  /** Another stack starts, in memory that ends at `limit`. */
  reset(limit: number): void {
    this.forget();
    this.#limit = limit;
    this.#size = FIRST_SIZE;
  }

  /** 64 bits, not exact above 2^53; NaN where they cannot be read. */
  word(address: number): number {
    if (!(address >= this.#start && address + 8 <= this.#end) && !this.#move(address, 8)) return Number.NaN;
    const at = address - this.#start;
    const first = this.#view.getUint32(at, this.#isLittle);
    const second = this.#view.getUint32(at + 4, this.#isLittle);
    return this.#isLittle ? first + second * HIGH : first * HIGH + second;
  }

  /** `size` is 1, 2, 4 or 8 bytes; exact. */
  value(address: number, size: number): bigint | undefined {
    if (!(address >= this.#start && address + size <= this.#end) && !this.#move(address, size)) return undefined;
    let value = 0n;
    const from = address - this.#start;
    for (let index = 0; index < size; index++)
      value = value * 256n + BigInt(this.#view.getUint8(from + (this.#isLittle ? size - 1 - index : index)));
    return value;
  }

  /** A few bytes; undefined where they cannot be read. */
  bytes(address: number, length: number): Buffer | undefined {
    if (!(address >= this.#start && address + length <= this.#end) && !this.#move(address, length)) return undefined;
    const at = address - this.#start;
    return this.#buffer?.subarray(at, at + length);
  }

  #move(address: number, needed: number): boolean {
    this.forget();
    if (!Number.isSafeInteger(address)) return false;
    const before = this.#limit - address;
    const size = before >= needed ? Math.min(this.#size, before) : needed;
    // Where what lies behind cannot be read, what is asked for may still be: code may end right there.
    const buffer = this.#memory.read(address, size) ?? (size > needed ? this.#memory.read(address, needed) : undefined);
    if (buffer === undefined) return false;
    this.#size = Math.min(2 * size, MOST_SIZE);
    if (buffer !== this.#buffer || this.#view.byteLength !== buffer.length) {
      this.#buffer = buffer;
      this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    }
    this.#start = address;
    this.#end = address + buffer.length;
    return true;
  }
}
