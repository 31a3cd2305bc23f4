import { expect, test } from "vitest";
import type { CodeRange } from "../../core/machine.ts";
import type { Mapping } from "../os/mappings.ts";
import { type Mapper, mapNear } from "./mapper.ts";

const PAGE = 4096;
const CODE = { start: 0x40_0000, end: 0x50_0000 };

function mapping({ start, end }: CodeRange): Mapping {
  const rights = { readable: true, writable: false, executable: true };
  return { start, end, ...rights, offset: 0, device: "00:00", inode: 0, name: "" };
}

/** Of a process that takes these places for itself before it is known. */
class Meanwhile implements Pick<Mapper, "mappings" | "map"> {
  readonly mapped: CodeRange[] = [];
  readonly #known = [mapping(CODE)];
  readonly #takes: number;

  constructor(takes: number) {
    this.#takes = takes;
  }

  mappings(): readonly Mapping[] {
    return this.#known.toSorted((a, b) => a.start - b.start);
  }

  map(range: CodeRange): boolean {
    if (this.#known.length <= this.#takes) {
      this.#known.push(mapping(range));
      return false;
    }
    this.mapped.push(range);
    return true;
  }
}

test("room that the process takes meanwhile is looked for again, somewhere else", () => {
  const mapper = new Meanwhile(2);
  const chosen: number[] = [];
  const range = mapNear(mapper, { near: CODE, size: PAGE, taken: [] }, "r-x", ({ start }) => chosen.push(start));
  expect(mapper.mapped).toEqual([range]);
  expect(new Set(chosen).size).toBe(3);
  expect(chosen.at(-1)).toBe(range.start);
});

test("it is not looked for for ever", () => {
  const wanted = { near: CODE, size: PAGE, taken: [] };
  expect(() => mapNear(new Meanwhile(100), wanted, "r-x")).toThrow(expect.objectContaining({ code: "ROOM_TAKEN" }));
});

test("what is taken already is left free", () => {
  const first = mapNear(new Meanwhile(0), { near: CODE, size: PAGE, taken: [] }, "r-x");
  const second = mapNear(new Meanwhile(0), { near: CODE, size: PAGE, taken: [first] }, "r-x");
  expect(second.end <= first.start || second.start >= first.end).toBe(true);
});
