import type { FuzzSeed } from "./parser.ts";

/** Pseudo-random numbers from a seed and a position in its sequence (splitmix32's mixing). */
export interface Random {
  /** An integer from 0 to `below` - 1. */
  next(below: number): number;
}

export function randomAt(seed: number, position: number): Random {
  let state = (Math.imul(seed, 0x9e3779b9) ^ Math.imul(position + 1, 0x85ebca6b)) | 0;
  return {
    next(below) {
      state = (state + 0x9e3779b9) | 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      mixed ^= mixed >>> 15;
      return Math.floor(((mixed >>> 0) / 0x1_0000_0000) * below);
    },
  };
}

const BYTES = [0, 1, 2, 3, 4, 7, 8, 0x10, 0x7f, 0x80, 0xfe, 0xff];
const WORDS = [0, 1, 0x7f, 0xff, 0x100, 0x7fff, 0x8000, 0xff00, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];
const MOST_CHANGES = 8;

/** What mutations write into: longer inputs are cut off. */
export function mutationSpace(seeds: readonly FuzzSeed[]): Buffer {
  return Buffer.alloc(2 * Math.max(...seeds.map((seed) => seed.data.length), 1024));
}

/** A damaged copy of one of the seeds, in `space`. The same arguments give the same bytes. */
export function mutated(seeds: readonly FuzzSeed[], random: Random, space: Buffer): Buffer {
  const seed = seeds[random.next(seeds.length)];
  if (seed === undefined) return space.subarray(0, 0);
  let length = seed.data.copy(space);
  // Few changes go deep, many break early: 1 is as likely as all the others.
  const changes = random.next(2) === 0 ? 1 : 1 + random.next(MOST_CHANGES);
  for (let i = 0; i < changes && length > 0; i++) length = change(space, length, seed, seeds, random);
  return space.subarray(0, length);
}

function position(seed: FuzzSeed, length: number, random: Random): number {
  const { hot = [] } = seed;
  if (hot.length > 0 && random.next(2) === 0) {
    const [start, end] = hot[random.next(hot.length)] ?? [0, length];
    return Math.min(start + random.next(Math.max(end - start, 1)), length - 1);
  }
  return random.next(length);
}

function change(space: Buffer, length: number, seed: FuzzSeed, seeds: readonly FuzzSeed[], random: Random): number {
  const at = position(seed, length, random);
  switch (random.next(12)) {
    case 0:
    case 1:
      space[at] = (space[at] ?? 0) ^ (1 << random.next(8));
      return length;
    case 2:
      space[at] = BYTES[random.next(BYTES.length)] ?? 0;
      return length;
    case 3:
      space[at] = random.next(256);
      return length;
    case 4:
      space[at] = (space[at] ?? 0) + (random.next(2) === 0 ? 1 : -1) * (1 + random.next(16));
      return length;
    case 5:
    case 6:
    case 7:
      writeWord(space, at, length, random);
      return length;
    case 8: {
      const from = position(seed, length, random);
      const size = 1 + random.next(Math.min(64, length - Math.max(from, at)));
      space.copyWithin(at, from, from + size);
      return length;
    }
    case 9: {
      // Inserted or taken out: everything after it moves.
      const size = 1 + random.next(32);
      if (random.next(2) === 0) {
        space.copyWithin(at, Math.min(at + size, length), length);
        return Math.max(length - size, at);
      }
      const grown = Math.min(length + size, space.length);
      space.copyWithin(Math.min(at + size, grown), at, Math.max(at, grown - size));
      return grown;
    }
    case 10: {
      const other = seeds[random.next(seeds.length)]?.data ?? seed.data;
      const from = random.next(other.length);
      other.copy(space, at, from, Math.min(from + 1 + random.next(128), from + length - at));
      return length;
    }
    default:
      return random.next(4) === 0 ? at : length;
  }
}

/** A number of 2, 4 or 8 bytes that is likely to be a limit, in either byte order, often at its natural alignment. */
function writeWord(space: Buffer, at: number, length: number, random: Random): void {
  const size = [2, 4, 8][random.next(3)] ?? 4;
  const start = random.next(4) === 0 ? at : at - (at % size);
  if (start + size > length) return;
  let value = WORDS[random.next(WORDS.length)] ?? 0;
  if (random.next(3) === 0) value = random.next(length + 16);
  if (random.next(8) === 0) value = 0x1_0000_0000 - value;
  const little = random.next(8) !== 0;
  const view = new DataView(space.buffer, space.byteOffset, space.length);
  if (size === 2) view.setUint16(start, value, little);
  else view.setUint32(little ? start : start + size - 4, value, little);
  if (size === 8) {
    const high = random.next(4) === 0 ? (WORDS[random.next(WORDS.length)] ?? 0) : 0;
    view.setUint32(little ? start + 4 : start, high, little);
  }
}
