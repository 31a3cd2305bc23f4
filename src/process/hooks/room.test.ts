import * as fc from "fast-check";
import { expect, test } from "vitest";
import { nativeHook } from "../os/native.ts";
import { findRoom, noRoom, type Occupied } from "./room.ts";

const GIB = 2 ** 30;

const spaces = fc
  .array(fc.record({ gap: fc.integer({ min: 0, max: 2 ** 19 }), size: fc.integer({ min: 1, max: 2 ** 18 }) }), {
    minLength: 1,
    maxLength: 60,
  })
  .map((pieces) => {
    const mappings: Occupied[] = [];
    let at = 0x5555_0000_0000;
    for (const { gap, size } of pieces) {
      at += gap * 4096;
      mappings.push({ start: at, end: at + size * 4096, name: "" });
      at += size * 4096;
    }
    return mappings;
  });

test("what is found is free, in whole pages, and in reach both ways of all of the code", () => {
  fc.assert(
    fc.property(spaces, fc.nat(), fc.integer({ min: 1, max: 4096 }), (mappings, which, pages) => {
      const near = mappings[which % mappings.length] as Occupied;
      const room = findRoom(mappings, near, pages * 4096);
      if (room === undefined) return;
      expect([room.start % 4096, room.end - room.start]).toEqual([0, pages * 4096]);
      expect(mappings.some(({ start, end }) => room.start < end && start < room.end)).toBe(false);
      for (const from of [room.start, room.end])
        for (const to of [near.start, near.end])
          expect([nativeHook().isInReach(from, to), nativeHook().isInReach(to, from)]).toEqual([true, true]);
    }),
  );
});

test("a program with no free page within 2 GiB of its code has no room", () => {
  const near = { start: 0x5555_0000_0000, end: 0x5555_0010_0000, name: "" };
  const mappings = [{ start: near.start - 3 * GIB, end: near.end + 3 * GIB, name: "" }];
  expect(findRoom(mappings, near, 4096)).toBeUndefined();
  expect(noRoom(near, 4096, "/bin/program")).toMatchObject({ code: "NO_ROOM_IN_REACH", where: "/bin/program" });
});

test("the heap and the first stack keep room to grow where there is another place", () => {
  const program = { start: 0x5555_0000_0000, end: 0x5555_0010_0000, name: "/bin/program" };
  const heap = { start: program.end, end: program.end + (1 << 20), name: "[heap]" };
  const below = { start: program.start - 3 * GIB, end: program.start, name: "" };
  const room = findRoom([below, program, heap], program, 1 << 16);
  expect((room?.start ?? 0) - heap.end).toBeGreaterThanOrEqual(1.5 * GIB);
});
