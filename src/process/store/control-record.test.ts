import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SLOT_SIZE } from "./control-layout.ts";
import { encodeRecord, readSlot, recordIn } from "./control-record.ts";
import type { ControlRecord } from "./record-schema.ts";

const record: ControlRecord = {
  version: 1,
  number: 300,
  table: 1,
  bits: 7,
  sites: [
    {
      id: "redis-server:sdscatlen,0",
      entry: 0x5555_0000_1000,
      hookAt: 0x5555_0000_1004,
      original: "554889e553",
      instructions: [0, 1, 4],
      fallsThrough: true,
      trampoline: 0x5555_1000_f010,
      hook: { kind: "choose", behind: "original", ahead: 0x5555_2000_0000 },
      stub: 0x5555_1000_0000,
      final: "e9f7efff0f",
    },
  ],
  areas: [
    { start: 0x5555_1000_0000, end: 0x5555_1001_0000, cursor: 0x5555_1000_0080, floor: 0x5555_1000_f000, blocked: [] },
  ],
  core: '{"version":1}',
  extra: { patches: [{ name: "π", mappings: [1, 2] }] },
};

function reading(bytes: Buffer): (offset: number, size: number) => Buffer {
  const slot = Buffer.alloc(SLOT_SIZE);
  bytes.copy(slot);
  return (offset, size) => slot.subarray(offset, offset + size);
}

function decodeRecord(read: (offset: number, size: number) => Buffer): ControlRecord | undefined {
  const slot = readSlot(read);
  return slot && recordIn(slot);
}

test("a record comes back as it was written", () => {
  expect(decodeRecord(reading(encodeRecord(record)))).toEqual(record);
});

test("a record of which only a part was written is none, whatever lies behind the part", () => {
  const before = encodeRecord({ ...record, core: "x".repeat(500), number: 298 });
  const bytes = encodeRecord(record);
  for (let written = 0; written < bytes.length; written += 7) {
    const slot = Buffer.alloc(Math.max(before.length, bytes.length));
    before.copy(slot);
    bytes.copy(slot, 0, 0, written);
    const found = decodeRecord(reading(slot));
    if (found !== undefined) expect(found.number).toBe(298);
  }
});

test("bytes of any kind are a record or none, and never an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(1000), (noise, at) => {
      const bytes = encodeRecord(record);
      Buffer.from(noise).copy(bytes, at % bytes.length);
      decodeRecord(reading(bytes));
      expect(decodeRecord(reading(Buffer.from(noise)))).toBeUndefined();
    }),
  );
});

test("a record that does not fit is refused before anything is written", () => {
  const tooLarge = { ...record, core: "x".repeat(SLOT_SIZE) };
  expect(() => encodeRecord(tooLarge)).toThrow(expect.objectContaining({ code: "RECORD_TOO_LARGE" }));
});

test.each<[string, (it: ControlRecord) => ControlRecord]>([
  ["a trampoline in no area", (it) => ({ ...it, areas: [] })],
  ["two sites of one name", (it) => ({ ...it, sites: [...it.sites, ...it.sites] })],
  ["a stub beyond its area", (it) => withSite(it, { stub: 0x5555_1000_ff00 })],
  ["a hook far from its function", (it) => withSite(it, { hookAt: 0x5555_0000_2000 })],
  ["instructions behind the displaced bytes", (it) => withSite(it, { instructions: [0, 5] })],
  ["an area that ends before it starts", (it) => ({ ...it, areas: it.areas.map((area) => ({ ...area, end: 4096 })) })],
])("%s is nothing that we have written", (_what, forge) => {
  expect(decodeRecord(reading(encodeRecord(forge(record))))).toBeUndefined();
});

function withSite(it: ControlRecord, change: Partial<ControlRecord["sites"][number]>): ControlRecord {
  return { ...it, sites: it.sites.map((site) => ({ ...site, ...change })) };
}
