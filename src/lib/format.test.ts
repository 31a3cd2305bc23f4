import * as v from "valibot";
import { expect, test } from "vitest";
import { checkFormat, keeping, newerFormat, otherKeys } from "./format.ts";

const schema = keeping({ name: v.string(), inner: v.array(keeping({ size: v.number() })) });

test("keys that are not known are kept, at every level, and what is known is checked", () => {
  const value = { name: "f", more: [1], inner: [{ size: 1, other: { deep: true } }] };
  expect(v.parse(schema, value)).toEqual(value);
  expect(otherKeys(schema, value)).toEqual({ more: [1] });
  expect(v.safeParse(schema, { name: 1, inner: [] }).success).toBe(false);
});

test("a key that would be the prototype is one of no object", () => {
  const value = v.parse(schema, JSON.parse('{"name": "f", "inner": [], "__proto__": {"size": 1}}'));
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  expect(value).toEqual({ name: "f", inner: [] });
});

test.each([
  ["the version that is known", { version: 1 }],
  ["an older one", { version: 0 }],
  ["none", {}],
  ["one that is no number", { version: "2" }],
  ["half a version", { version: 1.5 }],
  ["no object", 2],
  ["nothing", null],
])("%s is no newer format", (_what, json) => {
  expect(newerFormat(json, 1)).toBeUndefined();
});

test("a newer one is refused, with who wrote it where that is said", () => {
  const check = (json: unknown) => () => checkFormat(json, 1, "what it says", "here");
  expect(check({ version: 2, tool: "suture 9.0.0" })).toThrow(
    expect.objectContaining({ code: "NEWER_FORMAT", exit: 2, where: "here" }),
  );
  expect(check({ version: 2, tool: 3 })).toThrow("what it says is of version 2; this suture knows version 1");
});
