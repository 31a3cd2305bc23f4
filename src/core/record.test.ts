import fc from "fast-check";
import { expect, test } from "vitest";
import { A, SmallSystem, X } from "../../test/core/small-system.ts";
import { decodeRecord, encodeRecord } from "./record.ts";

async function recordOfPending(): Promise<string> {
  const small = new SmallSystem();
  small.task(A);
  const p1 = small.patch("p1", [A, X], { callbacks: true, states: [{ id: 1, version: 2 }], absent: ["libz.so.1"] });
  await small.core.load(p1, { timeoutMs: 5, onDeadline: "keep" });
  return encodeRecord(small.core.record);
}

test("a record is read as it was written", async () => {
  const text = await recordOfPending();
  expect(decodeRecord(text)).toEqual(JSON.parse(text));
  expect(JSON.parse(text)).toMatchObject({ transition: { phase: "moving" }, patches: [{ absent: ["libz.so.1"] }] });
});

test("a damaged one is an error with a code, and never anything else", async () => {
  const text = await recordOfPending();
  const place = fc.nat(text.length - 1);
  const anyDamage = fc.property(place, fc.nat(40), fc.string({ maxLength: 8 }), (at, length, instead) => {
    try {
      decodeRecord(text.slice(0, at) + instead + text.slice(at + length));
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(CORE_RECORD_CORRUPT|NEWER_FORMAT)$/) });
    }
  });
  fc.assert(anyDamage, { numRuns: 1000 });
});

test("a layer of a patch that is not described is damage", () => {
  const text = JSON.stringify({ version: 1, patches: [], layers: [{ patch: "p1", objects: [] }] });
  expect(() => decodeRecord(text)).toThrow("p1 is in effect and not described");
});
